"""After a loss in Redis the messages that were sent may be gone: their jobs may be sent again at once."""

from typing import Any

from campaigns.models import JobRow
from campaigns.wake import wake_supervisor


def forget_sent(**kwargs: Any) -> int:
    """Receiver of `switch_sealed`: end the leases of all messages; how many. A job sent twice is claimed once."""
    sent = JobRow.objects.filter(status=JobRow.Status.PENDING).exclude(sent_at=None).update(sent_at=None)
    if sent:
        wake_supervisor()
    return sent
