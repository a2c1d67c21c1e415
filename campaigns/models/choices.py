"""Columns of services, kinds of jobs and outcomes of calls offer these names."""

from campaigns.pipeline import KINDS, REVIEW
from circuitbreakers.policy import OUTCOMES
from circuitbreakers.services import SERVICES

SERVICE_CHOICES = [(name, name) for name in SERVICES]
KIND_CHOICES = [(name, name) for name in KINDS]
STAGE_CHOICES = [*KIND_CHOICES, (REVIEW, REVIEW)]
OUTCOME_CHOICES = [(name, name) for name in OUTCOMES]
