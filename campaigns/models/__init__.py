"""The models are campaigns, leads, jobs and the ledger of calls. The database itself refuses an impossible row."""

from campaigns import tallies  # noqa: F401 (its models are this app's)
from campaigns.models.call import VendorCall
from campaigns.models.campaign import Campaign
from campaigns.models.choices import KIND_CHOICES, OUTCOME_CHOICES, SERVICE_CHOICES, STAGE_CHOICES
from campaigns.models.contact import Contact
from campaigns.models.erasure import Erasure
from campaigns.models.fact import KnownFact
from campaigns.models.failure import Failure
from campaigns.models.job import Job, JobQuerySet, JobRow
from campaigns.models.lead import Lead
from campaigns.models.lead_file import LeadFile
from campaigns.models.outcome import OutcomeEvent
from campaigns.models.process import SILENCE, Process
from campaigns.models.pruned import PrunedCalls, PrunedJobs
from campaigns.models.reading import OutlookReading
from campaigns.models.suppression import Suppression

__all__ = [
    "KIND_CHOICES",
    "OUTCOME_CHOICES",
    "SERVICE_CHOICES",
    "SILENCE",
    "STAGE_CHOICES",
    "Campaign",
    "Contact",
    "Erasure",
    "Failure",
    "Job",
    "JobQuerySet",
    "JobRow",
    "KnownFact",
    "Lead",
    "LeadFile",
    "OutcomeEvent",
    "OutlookReading",
    "Process",
    "PrunedCalls",
    "PrunedJobs",
    "Suppression",
    "VendorCall",
]
