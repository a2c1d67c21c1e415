"""What Instantly told is applied here, each event once: leads are marked and ended, addresses are suppressed."""

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import CharField, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from campaigns import outcomes
from campaigns.endings import end_leads_of
from campaigns.leads import suppression
from campaigns.models import Campaign, OutcomeEvent, Suppression
from circuitbreakers import events, postgresql
from circuitbreakers.models import Event
from circuitbreakers.storable import fit

logger = logging.getLogger(__name__)

INSTANTLY = events.Actor("Instantly", "supervisor")
BATCH = 500
STRONGEST = [(outcome.lower(), column) for outcome, column in outcomes.STRONGEST_FIRST]

# LEAST passes over NULL, so the earliest counts in whatever order they come. Through the unique index of address and
# campaign, and nothing is written where nothing changes.
MARK = f"""
UPDATE leads SET {", ".join(f"{name} = LEAST(leads.{name}, told.{name})" for name in outcomes.COLUMNS)}
FROM json_to_recordset(%s::json) AS told (
    campaign_id bigint, email text, {", ".join(f"{name} timestamptz" for name in outcomes.COLUMNS)}
)
WHERE leads.campaign_id = told.campaign_id AND leads.email = told.email
AND ({" OR ".join(f"LEAST(leads.{name}, told.{name}) IS DISTINCT FROM leads.{name}" for name in outcomes.COLUMNS)})
"""  # noqa: S608 (names of columns)


# The strongest outcome of all their leads, so that the order in which they are told does not matter.
REMEMBER = f"""
UPDATE contacts SET outcome = came.outcome, outcome_at = came.at FROM (
    SELECT email,
        CASE {" ".join(f"WHEN max({name}) IS NOT NULL THEN '{what}'" for what, name in STRONGEST)} END AS outcome,
        GREATEST({", ".join(f"max({name})" for name in outcomes.COLUMNS)}) AS at
    FROM leads WHERE email = ANY(ARRAY(SELECT json_array_elements_text(%s::json))) GROUP BY email
) came
WHERE contacts.key = came.email AND came.outcome IS NOT NULL
    AND (contacts.outcome, contacts.outcome_at) IS DISTINCT FROM (came.outcome, came.at)
"""  # noqa: S608 (names of columns)


@dataclass(frozen=True)
class Telling:
    """One event with what follows from it; `campaigns` are those of ours that push, or pushed, into its target."""

    event: OutcomeEvent
    effect: outcomes.Effect
    campaigns: tuple[int, ...]

    @property
    def reason(self) -> str:
        """Say in words what came from where."""
        where = f"campaign {self.campaigns[0]}" if self.campaigns else "a campaign that is not ours"
        return f"{self.effect.name} to {where}" if self.effect.ends else f"{self.effect.name}, told of {where}"


def apply() -> int:
    """Apply a batch of events in one transaction; how many. An event that cannot be applied is marked and left behind.

    Raises DatabaseError when PostgreSQL is away: then they are applied later.
    """
    try:
        return apply_batch(BATCH)
    except Exception as error:
        if postgresql.away(error):
            raise
        logger.warning("Outcomes are applied one by one: %s", type(error).__name__)
    return sum(apply_alone(pk) for pk in list(waiting().values_list("pk", flat=True)[:BATCH]))


def waiting() -> QuerySet[OutcomeEvent]:
    """Select what has not been applied, in the order in which it came."""
    return OutcomeEvent.objects.filter(applied_at=None).order_by("pk")


def apply_batch(most: int, only: int | None = None) -> int:
    """Apply up to so many events, or only this one, in one transaction; how many."""
    with transaction.atomic():
        rows = waiting() if only is None else waiting().filter(pk=only)
        bounce_type = Cast(KeyTextTransform("bounce_type", "payload"), CharField())
        # Not their payloads: each may be 256 kB.
        told = list(rows.select_for_update(skip_locked=True).defer("payload").annotate(bounce_type=bounce_type)[:most])
        if not told:
            return 0
        forget(told)
        known = campaigns_of({event.target for event in told if event.target})
        tellings = [
            Telling(event, outcomes.effect_of(event.kind, event.bounce_type or ""), known.get(event.target, ()))
            for event in told
        ]
        about_somebody = [telling for telling in tellings if telling.event.email]
        # First, before a lead is locked: it waits for pushes that are under way.
        suppress(about_somebody)
        mark(about_somebody)
        end(about_somebody)
        remember(telling.event.email for telling in about_somebody if telling.effect.marks)
        done((telling.event.pk, telling.effect.name) for telling in tellings)
    return len(tellings)


def apply_alone(pk: int) -> int:
    """Apply one event; one that cannot be applied is marked with its error. Always 1."""
    try:
        apply_batch(1, only=pk)
    except Exception as error:
        if postgresql.away(error):
            raise
        # Nothing of the payload: the error of a statement quotes values.
        logger.error("Outcome %s could not be applied: %s", pk, type(error).__name__)
        done([(pk, f"failed: {type(error).__name__}")])
    return 1


def campaigns_of(targets: set[str]) -> dict[str, tuple[int, ...]]:
    """Find the campaigns that push into these campaigns at Instantly, or did before they got another."""
    found: dict[str, set[int]] = defaultdict(set)
    if not targets:
        return {}
    present = Campaign.objects.filter(instantly_campaign_id__in=targets)
    for target, pk in present.values_list("instantly_campaign_id", "pk"):
        found[target].add(pk)
    moved = Event.objects.filter(subject_type="campaign", verb="retargeted", before__instantly_campaign_id__in=targets)
    for before, subject in moved.values_list("before", "subject_id"):
        found[str((before or {}).get("instantly_campaign_id"))].add(int(subject))
    return {target: tuple(sorted(campaigns)) for target, campaigns in found.items()}


def mark(tellings: Iterable[Telling]) -> None:
    """Write into the leads when it happened first."""
    earliest: dict[tuple[int, str], dict[str, datetime]] = defaultdict(dict)
    for telling in tellings:
        for campaign in telling.campaigns:
            marks = earliest[campaign, telling.event.email]
            for column in telling.effect.marks:
                marks[column] = min(marks.get(column, telling.event.occurred_at), telling.event.occurred_at)
    rows = [
        {"campaign_id": campaign, "email": email, **{name: at.isoformat() for name, at in marks.items()}}
        for (campaign, email), marks in sorted(earliest.items())
        if marks
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(MARK, [json.dumps(rows)])


def suppress(tellings: Iterable[Telling]) -> None:
    """Suppress whoever is not to be written to any more, in a statement for each cause and campaign; an address is
    suppressed for the strongest of its causes."""
    strongest: dict[str, Telling] = {}
    for telling in tellings:
        email, cause = telling.event.email, telling.effect.suppresses
        if cause and (email not in strongest or outcomes.is_stronger(cause, strongest[email].effect.suppresses)):
            strongest[email] = telling
    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    for email, telling in strongest.items():
        together[telling.effect.suppresses, telling.reason].append(email)
    for (cause, reason), addresses in sorted(together.items()):
        suppression.suppress(addresses, reason, INSTANTLY, cause=Suppression.Cause(cause))


def end(tellings: Iterable[Telling]) -> None:
    """End the open leads of whoever replied, in every campaign, with an event for each lead.

    They are in a conversation: nothing more is bought for them, and nobody else writes to them.
    """
    reasons: dict[str, str] = {}
    for telling in sorted(tellings, key=lambda telling: (telling.event.occurred_at, telling.event.pk)):
        if telling.effect.ends:
            reasons.setdefault(telling.event.email, fit(telling.reason, Event, "reason"))
    # A call that is under way is booked by its worker, and a push is a push; what comes after it finds a lead that has
    # ended (workers/run.py).
    alike: dict[str, list[str]] = defaultdict(list)
    for email, why in sorted(reasons.items()):
        alike[why].append(email)
    Event.objects.bulk_create(
        events.build("lead", pk, "dropped", actor=INSTANTLY, reason=why, after={"state": "DROPPED"})
        for why, addresses in alike.items()
        for leads in end_leads_of(addresses, [], why).values()
        for pk in leads
    )


def remember(emails: Iterable[str]) -> None:
    """Write into the contacts what came of the last push to them, as their leads have it."""
    with connection.cursor() as cursor:
        cursor.execute(REMEMBER, [json.dumps(sorted(set(emails)))])


def forget(told: Sequence[OutcomeEvent]) -> None:
    """Take out of these events whoever was erased: Instantly knows them still, and tells of them."""
    erased = suppression.erased_among({event.email for event in told if event.email})
    if erased:
        OutcomeEvent.objects.filter(pk__in=[event.pk for event in told if event.email in erased]).update(
            email="", payload={}
        )
        for event in told:
            if event.email in erased:
                event.email = ""


def done(effects: Iterable[tuple[int, str]]) -> None:
    """Say of each event that it was applied, and what followed."""
    rows = json.dumps([{"id": pk, "effect": fit(effect, OutcomeEvent, "effect")} for pk, effect in effects])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outcome_events SET applied_at = statement_timestamp(), effect = told.effect"
            " FROM json_to_recordset(%s::json) AS told (id bigint, effect text) WHERE outcome_events.id = told.id"
            " AND outcome_events.applied_at IS NULL",
            [rows],
        )


def batches() -> Iterator[int]:
    """Apply until nothing is left; how many in each batch. For tests and commands: the supervisor takes one a round."""
    while applied := apply():
        yield applied
