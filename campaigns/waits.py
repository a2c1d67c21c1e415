"""Jobs that wait because a vendor asked for it are due again when an operator lifts the wait."""

from typing import Any

from django.db.models.functions import Now

from campaigns.models import JobRow
from campaigns.wake import wake_supervisor


def end_waits(service: str, **kwargs: Any) -> int:
    """Make jobs that were told to slow down due at once, as `wait_lifted`'s receiver; how many. Backoff after a
    vendor's failure goes on: it is not the wait that was lifted."""
    waiting = JobRow.objects.filter(service=service, status=JobRow.Status.PENDING, run_at__gt=Now())
    moved = waiting.filter(failure_type__in=("rate_limit", "")).update(run_at=Now())
    wake_supervisor()
    return moved
