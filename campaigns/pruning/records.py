"""Old events of campaigns, applied outcomes, facts past their use and expired logins go by walks along a primary key.

A walk passes each row once, in windows of one statement, so that no index is needed and an interrupted one may begin
anew. The trigger on `events` refuses to delete any other than these.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.utils import timezone

from campaigns.models import Campaign
from circuitbreakers.models import Event

WINDOW = 2_000  # rows that a statement looks at

# Those of breakers, queue, policies, pauses, budgets, users, tokens, suppressions and erasures stay: they are few, or
# somebody's right. A change of target stays too: what comes back is matched with it.
EVENTS = """
e.at < %(before)s AND e.subject_type IN ('campaign', 'lead', 'job') AND e.verb <> 'retargeted'
    AND NOT EXISTS (
        SELECT FROM incidents i JOIN queue_pauses p ON p.id = i.pause_id
        WHERE i.id = e.incident_id AND (i.reset_at IS NULL OR p.ended_at IS NULL)
    )
    AND NOT EXISTS (
        SELECT FROM campaigns c WHERE (c.finished_at IS NULL OR c.finished_at >= %(before)s) AND c.id = CASE
            WHEN e.subject_id !~ '^[0-9]{1,18}$' THEN NULL
            WHEN e.subject_type = 'campaign' THEN e.subject_id::bigint
            WHEN e.subject_type = 'lead' THEN (SELECT l.campaign_id FROM leads l WHERE l.id = e.subject_id::bigint)
            ELSE (SELECT j.campaign_id FROM job_rows j WHERE j.id = e.subject_id::bigint)
        END
    )
"""
# What a target tells is asked for again as long as a campaign has it, and told apart from what is new by these rows.
OUTCOMES = "e.received_at < %(before)s AND e.applied_at IS NOT NULL AND NOT e.target = ANY(%(targets)s)"
FACTS = "e.bought_at < %(before)s AND (e.asked_until IS NULL OR e.asked_until < now())"


def events(before: datetime, *, dry_run: bool = False) -> Iterator[Counter[str]]:
    """Delete the events of campaigns that ended before that instant, of their leads and of their jobs."""
    for number in _walk("events", "id", EVENTS, {"before": before}, dry_run):
        yield Counter(events=number)


def outcomes(before: datetime, *, dry_run: bool = False) -> Iterator[Counter[str]]:
    """Delete what came back and was applied, of targets that belong to no campaign that runs or ended since."""
    parameters = {"before": before, "targets": live_targets(before)}
    for number in _walk("outcome_events", "id", OUTCOMES, parameters, dry_run):
        yield Counter(outcomes=number)


def facts(before: datetime, *, dry_run: bool = False) -> Iterator[Counter[str]]:
    """Delete what was bought and is too old to be used again, whatever the retention says."""
    used = max(settings.REVEALED_DAYS, settings.RESEARCH_DAYS, settings.VERDICT_DAYS)
    parameters = {"before": min(before, timezone.now() - timedelta(days=used))}
    for number in _walk("known_facts", "key", FACTS, parameters, dry_run):
        yield Counter(facts=number)


def logins(now: datetime, *, dry_run: bool = False) -> Iterator[Counter[str]]:
    """Delete expired sessions, and failed logins that lock nobody out any more."""
    cool_off: timedelta = settings.AXES_COOLOFF_TIME
    for rows in (
        Session.objects.filter(expire_date__lt=now),
        AccessAttempt.objects.filter(attempt_time__lt=now - max(cool_off, timedelta(days=1))),
    ):
        if dry_run:
            yield Counter(logins=rows.count())
        else:
            while number := rows.filter(pk__in=list(rows.values_list("pk", flat=True)[:WINDOW])).delete()[0]:
                yield Counter(logins=number)


def live_targets(before: datetime) -> list[str]:
    """List the campaigns at Instantly, present and former, of whatever runs or ended since that instant."""
    present = dict(Campaign.objects.exclude(finished_at__lt=before).values_list("pk", "instantly_campaign_id"))
    moves = Event.objects.filter(subject_type="campaign", subject_id__in=map(str, present), verb="retargeted")
    former = {str((past or {}).get("instantly_campaign_id", "")) for past in moves.values_list("before", flat=True)}
    return sorted({*present.values(), *former} - {""})


def _walk(table: str, key: str, condition: str, parameters: dict[str, Any], dry_run: bool) -> Iterator[int]:
    """Yield how many rows went with each window, or would go."""
    window = f"SELECT max({key}) FROM (SELECT {key} FROM {table} {{after}} ORDER BY {key} LIMIT {WINDOW}) AS w"  # noqa: S608
    within = f"FROM {table} e WHERE e.{key} <= %(upto)s {{after}} AND {condition}"
    after: Any = None
    while True:
        beyond = "" if after is None else f"WHERE {key} > %(after)s"
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(window.replace("{after}", beyond), {"after": after})
            (upto,) = cursor.fetchone()
            if upto is None:
                return
            rows = within.replace("{after}", "" if after is None else f"AND e.{key} > %(after)s")
            values = {**parameters, "after": after, "upto": upto}
            if dry_run:
                cursor.execute(f"SELECT count(*) {rows}", values)
                (number,) = cursor.fetchone()
            else:
                cursor.execute("SELECT set_config('holdfast.pruning', 'on', true)")
                cursor.execute(f"DELETE {rows}", values)
                number = cursor.rowcount
        after = upto
        yield number
