"""Instantly is asked what became of the leads, for what its webhook has not told: a deploy is enough to lose events.

What is found is stored as an event like any other, and applied by the same step. A failure is logged and asked again
next time; it is never counted against the breaker (`free_calls`).
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from campaigns import apply_outcomes, outcome_intake, outcomes
from campaigns.leads.addresses import normalise
from campaigns.models import Campaign, Lead, OutcomeEvent, VendorCall
from campaigns.outcome_intake import Told
from circuitbreakers.models import Event
from integrations import instantly_outcomes as instantly
from integrations.errors import FailureType, VendorError
from integrations.results import LeadOutcome
from workers.free_calls import NotNow, ask

logger = logging.getLogger(__name__)

SERVICE = "instantly"
NOT_FOUND = 404
# A campaign that has not called Instantly for so long is not asked about any more.
LOOK_BACK = timedelta(days=90)
# Opt-outs and what ends a conversation, each time; who was merely sent a mail is everybody, and asked for less often.
EACH_TIME = (
    instantly.FILTER_VAL_UNSUBSCRIBED,
    instantly.FILTER_VAL_BOUNCED,
    instantly.FILTER_LEAD_NOT_INTERESTED,
    instantly.FILTER_LEAD_WRONG_PERSON,
    instantly.FILTER_VAL_REPLIED,
)
SENT_EVERY = 6 * 3600.0  # seconds
# A target holds at most 50,000 leads of ours; a listing that goes on and on is none.
MOST_PAGES = 2000
# After these the next target would fail in the same way.
ENDS_ROUND = (FailureType.AUTH, FailureType.QUOTA_EXHAUSTED, FailureType.RATE_LIMIT, FailureType.CONNECTION)

# target -> when this process last asked it for all that was sent (monotonic).
_asked_for_sent: dict[str, float] = {}


def reconcile() -> int:
    """Ask for every target of a campaign that pushed in the last 90 days; how many events the webhook had missed."""
    missed = 0
    for target in targets(timezone.now()):
        try:
            missed += look_at(target)
        except NotNow as error:
            logger.info("Outcomes not read: %s", error)
            break
        except VendorError as error:
            if error.http_status == NOT_FOUND:
                continue  # a campaign that is gone mails nobody
            logger.warning("Outcomes of target %s not read: %s", target, error.message)
            if error.failure_type in ENDS_ROUND:
                break
    if missed:
        logger.info("Outcomes that no webhook told: %s", missed)
    return missed


def targets(now: datetime) -> list[str]:
    """List the campaigns at Instantly, present and former, of whoever called Instantly lately, in a fixed order."""
    last = VendorCall.objects.filter(campaign=OuterRef("pk"), service=SERVICE).order_by("-id").values("admitted_at")[:1]
    active = Campaign.objects.annotate(last_call=Subquery(last)).filter(last_call__gte=now - LOOK_BACK)
    present = dict(active.values_list("pk", "instantly_campaign_id"))
    moves = Event.objects.filter(subject_type="campaign", subject_id__in=map(str, present), verb="retargeted")
    former = {str((before or {}).get("instantly_campaign_id", "")) for before in moves.values_list("before", flat=True)}
    return sorted({*present.values(), *former} - {""})


def look_at(target: str) -> int:
    """Read what became of a target's leads, page by page; how many events were new. Raises VendorError."""
    now, missed = time.monotonic(), 0
    sent_is_due = now - _asked_for_sent.get(target, -SENT_EVERY) >= SENT_EVERY
    for name in (*EACH_TIME, *((instantly.FILTER_VAL_CONTACTED,) if sent_is_due else ())):
        missed += sum(outcome_intake.store(new_in(target, rows)) for rows in pages(target, name))
    if sent_is_due:
        _asked_for_sent[target] = now
    return missed


def pages(target: str, name: str) -> Iterator[tuple[LeadOutcome, ...]]:
    """Yield the pages of a listing, each asked for when the one before it is done with. Raises VendorError."""
    after = ""
    for _ in range(MOST_PAGES):
        page = ask(SERVICE, partial(instantly.list_leads, target, name, after))
        if page.rows:
            yield page.rows
        after = page.next
        if not after:
            return
    logger.warning("Listing %s of target %s has more than %s pages", name, target, MOST_PAGES)


def new_in(target: str, rows: Iterable[LeadOutcome]) -> Iterator[Told]:
    """Yield what these rows say that neither an event nor a lead's columns say yet. Two statements."""
    by_email = {email: row for row in rows if (email := normalise(row.email))}
    told = set(OutcomeEvent.objects.filter(email__in=by_email, target=target).values_list("email", "kind"))
    marked = columns_of(target, by_email)
    for email, row in by_email.items():
        for kind, at in facts_of(row).items():
            own_column = outcomes.effect_of(kind).marks[:1]
            if (email, kind) not in told and not (own_column and own_column[0] in marked[email]):
                yield as_event(target, email, kind, at, row)


def columns_of(target: str, emails: Iterable[str]) -> dict[str, set[str]]:
    """Say which columns of what came back are set, by address, in every lead of ours that this target has."""
    campaigns = apply_outcomes.campaigns_of({target}).get(target, ())
    leads = Lead.objects.filter(campaign_id__in=campaigns, email__in=list(emails))
    found: dict[str, set[str]] = defaultdict(set)
    seen: set[str] = set()
    for email, *instants in leads.values_list("email", *outcomes.COLUMNS):
        columns = {name for name, at in zip(outcomes.COLUMNS, instants, strict=True) if at}
        found[str(email)] = found[str(email)] & columns if email in seen else columns
        seen.add(str(email))
    return found


def facts_of(row: LeadOutcome) -> dict[str, datetime | None]:
    """Say what a row tells, as kinds of events with their instants; None where Instantly does not say when.

    From the row's own fields, whatever listing it was in: the filters' names are not all documented. A reply of who is
    out of office is an automatic one.
    """
    facts: dict[str, datetime | None] = {}
    if row.contacted:
        facts["email_sent"] = row.contacted_at
    if row.bounced:
        facts["email_bounced"] = row.updated_at
    if row.unsubscribed:
        facts["lead_unsubscribed"] = row.updated_at
    if row.replied and row.interest != instantly.OUT_OF_OFFICE:
        facts["reply_received"] = row.replied_at or row.updated_at
    if row.interest == instantly.NOT_INTERESTED:
        facts["lead_not_interested"] = row.interest_changed_at
    if row.interest == instantly.WRONG_PERSON:
        facts["lead_wrong_person"] = row.interest_changed_at
    return facts


def as_event(target: str, email: str, kind: str, at: datetime | None, row: LeadOutcome) -> Told:
    """Make the event of one fact; told again, at whatever instant, it is the same one."""
    now = timezone.now()
    occurred_at = min(at or now, now)
    identity = {"event_type": kind, "lead_email": email, "campaign_id": target}
    return Told(
        digest=outcome_intake.digest_of(OutcomeEvent.Source.RECONCILIATION, identity),
        source=OutcomeEvent.Source.RECONCILIATION,
        kind=kind,
        email=email,
        target=target,
        occurred_at=occurred_at,
        payload={
            **identity,
            "timestamp": at.isoformat() if at else None,
            **{name: getattr(row, name) for name in ("id", "status", "interest", "replies")},
        },
    )
