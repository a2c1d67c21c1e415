"""Messages that were sent may be gone after a loss in Redis: then their jobs are sent again at once."""

from typing import Any

from campaigns.models import JobRow
from campaigns.wake import wake_supervisor


def forget_sent(**kwargs: Any) -> int:
    """End the leases of all messages; how many. A job sent twice is claimed once. Receiver of `switch_sealed`."""
    sent = JobRow.objects.filter(status=JobRow.Status.PENDING).exclude(sent_at=None).update(sent_at=None)
    if sent:
        wake_supervisor()
    return sent
