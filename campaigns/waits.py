"""Jobs that wait because a vendor asked for it, or for room in our own limits, are due again when an operator lifts the
wait or changes the limits."""

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from campaigns.models import JobRow
from campaigns.wake import wake_supervisor


def end_waits(service: str, within: float = 0.0, **kwargs: Any) -> int:
    """Make jobs that were told to slow down due at once, or in so many seconds, as the receiver of `wait_lifted` and
    `limits_changed`; how many. Backoff after a vendor's failure goes on: it is not the wait that was lifted."""
    due = Now() + timedelta(seconds=within)
    waiting = JobRow.objects.filter(service=service, status=JobRow.Status.PENDING, run_at__gt=due)
    moved = waiting.filter(failure_type__in=("rate_limit", "")).update(run_at=due)
    wake_supervisor()
    return moved
