"""The names of services, kinds of jobs and outcomes of calls, as the columns that hold them offer them."""

from campaigns.pipeline import KINDS
from circuitbreakers.policy import OUTCOMES
from circuitbreakers.services import SERVICES

SERVICE_CHOICES = [(name, name) for name in SERVICES]
KIND_CHOICES = [(name, name) for name in KINDS]
OUTCOME_CHOICES = [(name, name) for name in OUTCOMES]
