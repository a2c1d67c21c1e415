"""Campaigns, leads, jobs and the ledger of vendor calls. The database itself refuses an impossible row."""

from campaigns.models.job import (
    KIND_CHOICES,
    OUTCOME_CHOICES,
    SERVICE_CHOICES,
    SILENCE,
    Campaign,
    Job,
    JobQuerySet,
    JobRow,
    KnownVerdict,
    Lead,
    Process,
    Suppression,
    VendorCall,
)

__all__ = [
    "KIND_CHOICES",
    "OUTCOME_CHOICES",
    "SERVICE_CHOICES",
    "SILENCE",
    "Campaign",
    "Job",
    "JobQuerySet",
    "JobRow",
    "KnownVerdict",
    "Lead",
    "Process",
    "Suppression",
    "VendorCall",
]
