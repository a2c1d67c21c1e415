"""What brings everything to its end after a crash, in this process: as supervisor, workers and an operator would."""

import time
from typing import Any

from django.db.models.functions import Now

from campaigns import cancelled, cascade, feed, finish, recovery
from campaigns.models import Campaign, JobRow, Process
from circuitbreakers import breaker, events, incidents, rebuild
from tests.builders import ago
from workers import reclaim
from workers.run import run

ANN = events.Actor("ann", "command")


def due() -> list[JobRow]:
    return list(JobRow.objects.filter(status=JobRow.Status.PENDING, run_at__lte=Now()).order_by("id"))


def leases_end() -> None:
    """As if the dead process's leases had ended."""
    JobRow.objects.filter(status=JobRow.Status.PROCESSING).update(claimed_at=ago(120), lease_until=ago(5))


def backoffs_end() -> None:
    JobRow.objects.filter(status=JobRow.Status.PENDING).update(run_at=ago(1))


def fleet_signs() -> None:
    """As if the fleet that a resume asks for had just signed."""
    Process.objects.update(seen_at=Now())


def round_of_supervisor() -> None:
    rebuild.compare()
    cascade.pause_stragglers()
    cancelled.end_cancelled()
    leases_end()
    reclaim.reclaim()
    feed.feed()
    finish.finish_campaigns()


def recover() -> None:
    """Reset what is open, and resume: it may be refused, and is repeated in the next round."""
    fleet_signs()
    for service in incidents.unreset():
        breaker.reset(service, actor=ANN, reason="mended", force=True)
    recovery.resume(actor=ANN, reason="mended", all_at_once=True)


def bring_to_its_end(within: float = 30) -> None:
    """Go on, with an operator where everything is paused, until every campaign has ended."""
    until = time.monotonic() + within
    while Campaign.objects.filter(finished_at=None).exists():
        round_of_supervisor()
        if Campaign.objects.filter(status=Campaign.Status.PAUSED).exists():
            recover()
        backoffs_end()
        for job in due():
            run(job.pk, job.service)
        assert time.monotonic() < until, list(JobRow.objects.values("kind", "status", "error", "attempts"))
    round_of_supervisor()


def charged_unknown(calls: list[dict[str, Any]], known: Any) -> list[Any]:
    """Say for whom a vendor has charged more often than the ledger has booked or flagged."""
    charges: dict[tuple[str, str], int] = {}
    for call in calls:
        for key in call["charges"]:
            charges[call["service"], key] = charges.get((call["service"], key), 0) + 1
    return [(*key, times) for key, times in charges.items() if known[key] < times]
