"""One vendor may refuse calls one after the other in the same words: then it is not the leads that are wrong."""

import re

from django.db.models import Value
from django.db.models.functions import Concat

from campaigns.models import JobRow, VendorCall

# So many in a row, without anything else of that service between them, stop the campaign: the breaker's own threshold.
IN_A_ROW = 5
# What differs between two refusals that say the same: numbers, ids, what is quoted.
VARIES = re.compile(r"['\"`“][^'\"`”]{0,100}['\"`”]|\S*(?:\d|\*\*\*)\S*")
# How the error of such a job begins; `retry-failed` puts it back like a vendor's fault.
MARK = "Refused like all others: "


def alike(job: JobRow, message: str) -> list[int] | None:
    """Find the jobs of the latest calls of this campaign and service, if all were refused as `job` is now and are
    enough."""
    latest = VendorCall.objects.filter(campaign=job.campaign_id, service=job.service).order_by("-id")
    before = list(latest.values_list("job", "outcome", "error")[: IN_A_ROW - 1])
    if len(before) < IN_A_ROW - 1:
        return None
    if any(outcome != "invalid_request" or gist(error) != gist(message) for _, outcome, error in before):
        return None
    return [pk for pk, _, _ in before]


def gist(message: str) -> str:
    """Return a refusal's words without what is different each time."""
    return " ".join(VARIES.sub("", message).lower().split())


def why(service: str, message: str) -> str:
    """Write the sentence for whoever must mend it."""
    return (
        f"{service} refused {IN_A_ROW} calls in a row in the same words: {message} "
        "Mend the cause, resume the campaign, and retry what failed."
    )


def mark(jobs: list[int]) -> int:
    """Say of the jobs that failed so far that it was not their leads' fault; how many."""
    failed = JobRow.objects.filter(pk__in=jobs, status=JobRow.Status.FAILED, failure_type="invalid_request")
    return failed.exclude(error__startswith=MARK).update(error=Concat(Value(MARK), "error"))
