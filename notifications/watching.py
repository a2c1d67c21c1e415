"""Some things are told because they last: a pause that nobody looks after, processes that are gone, books that do not
balance."""

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from campaigns import reconcile
from campaigns.models import Process
from circuitbreakers import switch
from circuitbreakers.models import Incident, QueuePause
from notifications import kinds, outbox
from notifications.models import Condition

logger = logging.getLogger(__name__)

# Books are read a second time so much later before anything is said: while a supervisor has just begun, it still mends.
UNBALANCED = timedelta(minutes=2)
# A system pause that nobody is at is told again after so long.
STANDING = {timedelta(minutes=30): "30 minutes", timedelta(hours=4): "4 hours", timedelta(hours=24): "24 hours"}
# Processes are missed after so long without any: a deployment stops and starts them.
MISSED = timedelta(seconds=60)
GONE = {"no_supervisor": Process.Role.SUPERVISOR, "no_worker": Process.Role.WORKER}
WORDS = {"no_supervisor": "a supervisor is alive", "no_worker": "a worker is alive", "books": "the books balance"}


def remind_of_pause() -> int:
    """Tell of a system pause that stands for long while no incident of it is acknowledged; how many messages."""
    pause = QueuePause.objects.filter(key=QueuePause.SYSTEM, ended_at=None).first()
    if pause is None:
        return 0
    age = timezone.now() - pause.started_at
    reached = max((mark for mark in STANDING if age >= mark), default=None)
    incidents = Incident.objects.filter(pause=pause)
    if reached is None or incidents.exclude(acknowledged_at=None).exists():
        return 0
    latest = incidents.order_by("-id").first()
    how = f"Whoever acknowledges incident {latest.pk} ends these reminders." if latest else ""
    return int(
        outbox.write(
            kinds.STANDING,
            key=f"standing:{pause.pk}:{int(reached.total_seconds())}",
            subject=kinds.STANDING.subject.format(id=STANDING[reached]),
            facts=how,
            incident=latest.pk if latest else None,
        )
    )


def look_for_processes() -> int:
    """Tell of roles of which no process is alive, and when one is again; how many messages."""
    alive = set(Process.objects.alive().values_list("role", flat=True))
    return sum(note(name, wrong=role not in alive, after=MISSED) for name, role in GONE.items())


def supervisor_is_missed() -> bool:
    """Say, for the workers, whether no supervisor has been alive for so long that it is told; then it is."""
    alive = Process.objects.alive().filter(role=Process.Role.SUPERVISOR).exists()
    note("no_supervisor", wrong=not alive, after=MISSED)
    return not alive and Condition.objects.filter(name="no_supervisor").exclude(told_at=None).exists()


def look_at_books() -> int:
    """Compare the books, which takes a while; tell what does not add up, twice in a row and still after `UNBALANCED`.
    How many messages."""
    try:
        wrong = {finding.check: finding.detail for finding in reconcile.reconcile()}
        again = {finding.check for finding in reconcile.reconcile()} if wrong else set()
    except switch.RedisUnavailable:
        return 0
    # While everything moves, the two stores may be read a moment apart.
    details = [detail for check, detail in wrong.items() if check in again]
    return note("books", wrong=bool(details), after=UNBALANCED, facts="; ".join(details))


def books_are_suspected() -> bool:
    """Say whether the last look at the books found something that has not been told yet."""
    return Condition.objects.filter(name="books", told_at=None).exists()


def note(name: str, *, wrong: bool, after: timedelta = timedelta(0), facts: str = "") -> int:
    """Keep since when something is wrong; tell it once it is so for `after`, and its end if it was told. How many
    messages. Any process may call it."""
    if not wrong and not Condition.objects.filter(name=name).exists():
        return 0
    now = timezone.now()
    with transaction.atomic():
        if not wrong:
            ended = Condition.objects.select_for_update().filter(name=name).first()
            if ended is None:
                return 0
            ended.delete()
            if ended.told_at is None:
                return 0
            subject = kinds.ENDED.subject.format(id=WORDS[name])
            return int(outbox.write(kinds.ENDED, key=f"{name}:ended:{ended.since.isoformat()}", subject=subject))
        row, _ = Condition.objects.get_or_create(name=name, defaults={"since": now})
        if row.told_at is not None or now - row.since < after:
            return 0
        if not Condition.objects.filter(name=name, told_at=None).update(told_at=now):
            return 0
        kind = kinds.CONDITIONS[name]
        return int(
            outbox.write(kind, key=f"{name}:{row.since.isoformat()}", subject=kind.subject, facts=facts or _since(row))
        )


def _since(row: Condition) -> str:
    return f"Since {row.since:%Y-%m-%d %H:%M:%S} UTC."
