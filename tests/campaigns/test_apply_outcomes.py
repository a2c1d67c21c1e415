"""Events are applied once, in any order, set-based; one that cannot be applied holds up nobody."""

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import apply_outcomes, lifecycle
from campaigns.apply_outcomes import INSTANTLY, apply, batches
from campaigns.leads.suppression import suppress
from campaigns.models import Contact, JobRow, Lead, OutcomeEvent, Suppression
from campaigns.outcome_intake import store, told_by_webhook
from circuitbreakers.events import Actor
from circuitbreakers.models import Event
from tests.builders import ago, make_campaign, make_job, make_lead
from tests.stores import refusing

pytestmark = pytest.mark.django_db
OLGA = Actor("olga", "admin")
IDA = "ida@acme.example"


def payload(kind: str, email: str = IDA, target: str = "a-target", at: datetime | None = None, **more: Any) -> Any:
    at = at or timezone.now()
    return {"event_type": kind, "lead_email": email, "campaign_id": target, "timestamp": at.isoformat(), **more}


def tell(*payloads: dict[str, Any]) -> int:
    """Store what the webhook would, and apply it; how many were applied."""
    store(map(told_by_webhook, payloads))
    return sum(batches())


def test_a_bounce_marks_its_lead_and_suppresses_the_address() -> None:
    lead, at = make_lead(state="PUSHED", email=IDA), ago(60)
    assert tell(payload("email_bounced", at=at)) == 1
    lead.refresh_from_db()
    assert (lead.bounced_at, lead.sent_at, lead.state) == (at, at, "PUSHED")
    listed = Suppression.objects.get()
    assert (listed.value, listed.cause, listed.created_by) == (IDA, "bounced", "Instantly")
    assert listed.reason == f"bounced, told of campaign {lead.campaign_id}"
    assert OutcomeEvent.objects.get().effect == "bounced"


def test_one_event_says_what_happened_and_who_said_so() -> None:
    make_lead(state="PUSHED", email=IDA)
    tell(payload("lead_unsubscribed"))
    event = Event.objects.get()
    assert (event.subject_type, event.verb, event.actor) == ("suppression", "suppressed", INSTANTLY.name)
    assert event.after == {"value": IDA, "cause": "unsubscribed", "leads": 0}


@pytest.mark.parametrize("kind", ["auto_reply_received", "lead_out_of_office", "a label of our own"])
def test_what_has_no_effect_is_noted_and_changes_nobody(kind: str) -> None:
    lead = make_lead(email=IDA)
    tell(payload(kind))
    assert Lead.objects.get() == lead
    assert (Suppression.objects.count(), Event.objects.count()) == (0, 0)
    assert OutcomeEvent.objects.get().effect == ("unknown" if kind.startswith("a label") else "noted")


def test_a_reply_ends_that_persons_open_leads_in_every_campaign() -> None:
    pushed = make_lead(state="PUSHED", email=IDA)
    elsewhere = make_campaign(instantly_campaign_id="another")
    job = make_job(kind="research", lead=make_lead(elsewhere, email=IDA))
    other = make_lead(elsewhere, email="tom@acme.example")
    tell(payload("reply_received"))
    ended = Lead.objects.get(campaign=elsewhere, email=IDA)
    assert (ended.state, ended.end_reason) == ("DROPPED", f"replied to campaign {pushed.campaign_id}")
    assert Lead.objects.get(pk=pushed.pk).state == "PUSHED"
    assert Lead.objects.get(pk=other.pk).state == "OPEN"
    assert JobRow.objects.get(pk=job.pk).status == JobRow.Status.CANCELLED
    event = Event.objects.get(subject_type="lead")
    assert (event.subject_id, event.verb, event.actor) == (str(ended.pk), "dropped", "Instantly")
    assert Suppression.objects.count() == 0


def test_a_reply_leaves_a_call_in_flight_to_its_worker() -> None:
    make_lead(state="PUSHED", email=IDA)
    job = make_job(kind="push", status="PROCESSING", lead=make_lead(make_campaign(), email=IDA))
    tell(payload("reply_received"))
    assert JobRow.objects.get(pk=job.pk).status == JobRow.Status.PROCESSING


def test_the_earliest_of_each_kind_counts_whatever_comes_first() -> None:
    lead, first, later = make_lead(state="PUSHED", email=IDA), ago(7200), ago(60)
    tell(payload("email_sent", at=later))
    tell(payload("email_sent", at=first))
    tell(payload("email_sent", at=ago(600), step=2))
    assert Lead.objects.get(pk=lead.pk).sent_at == first


def test_an_event_of_a_campaign_that_is_none_of_ours_suppresses_all_the_same() -> None:
    lead = make_lead(email=IDA, state="PUSHED")
    tell(payload("lead_unsubscribed", target="somebody else's"))
    assert Suppression.objects.get().reason == "unsubscribed, told of a campaign that is not ours"
    assert Lead.objects.get(pk=lead.pk).unsubscribed_at is None


def test_a_lead_in_a_former_target_is_found() -> None:
    campaign = make_campaign("PAUSED", operator_paused_at=timezone.now(), instantly_campaign_id="old")
    lead = make_lead(campaign, state="PUSHED", email=IDA)
    lifecycle.retarget(campaign.pk, target="new", actor=OLGA, reason="gone")
    tell(payload("reply_received", target="old"))
    assert Lead.objects.get(pk=lead.pk).replied_at is not None


def test_two_campaigns_with_one_target_are_both_marked() -> None:
    leads = [make_lead(make_campaign(), state="PUSHED", email=IDA) for _ in range(2)]
    tell(payload("email_sent"))
    assert Lead.objects.filter(pk__in=[lead.pk for lead in leads], sent_at__isnull=False).count() == 2


@pytest.mark.parametrize("order", [("email_bounced", "lead_unsubscribed"), ("lead_unsubscribed", "email_bounced")])
@pytest.mark.parametrize("together", [True, False])
def test_a_persons_own_wish_outlives_a_bounce(order: tuple[str, str], together: bool) -> None:
    payloads = [payload(kind) for kind in order]
    if together:
        tell(*payloads)
    else:
        for one in payloads:
            tell(one)
    listed = Suppression.objects.get()
    assert (listed.cause, listed.final) == ("unsubscribed", True)


def test_a_stronger_cause_leaves_an_event_with_what_was_before() -> None:
    suppress([IDA], "asked on the phone", OLGA)
    tell(payload("lead_unsubscribed"))
    event = Event.objects.get(actor=INSTANTLY.name)
    assert (event.before, event.after) == (
        {"cause": "operator"},
        {"value": IDA, "cause": "unsubscribed", "leads": 0},
    )


def test_nothing_is_applied_twice() -> None:
    make_lead(state="PUSHED", email=IDA)
    one = payload("email_bounced")
    assert tell(one, one) == 1
    Suppression.objects.all().delete()
    assert tell(one) == 0
    assert Suppression.objects.count() == 0


def test_a_poisonous_event_is_marked_and_does_not_stop_the_others() -> None:
    make_lead(state="PUSHED", email=IDA)
    poisoned = make_lead(state="PUSHED", email="poison@acme.example")
    store(told_by_webhook(payload("email_sent", email)) for email in (IDA, "poison@acme.example", "tom@acme.example"))
    with refusing("leads", poisoned.pk):
        assert sum(batches()) == 3
    effects = dict(OutcomeEvent.objects.values_list("email", "effect"))
    assert effects.pop("poison@acme.example").startswith("failed: ")
    assert set(effects.values()) == {"sent"}
    assert Lead.objects.get(email=IDA).sent_at is not None
    assert apply() == 0


def test_while_postgresql_is_away_nothing_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    store([told_by_webhook(payload("email_sent"))])

    def away(*args: object, **kwargs: object) -> int:
        raise DatabaseError from _gone()

    with monkeypatch.context() as patched:
        patched.setattr(apply_outcomes, "mark", away)
        with pytest.raises(DatabaseError):
            apply()
    assert OutcomeEvent.objects.get().applied_at is None
    assert apply() == 1


def _gone() -> Exception:
    error = Exception("terminating connection")
    error.sqlstate = "57P01"  # type: ignore[attr-defined]
    return error


def test_a_batch_costs_no_query_per_event() -> None:
    campaign = make_campaign()
    for number in range(60):
        make_lead(campaign, state="PUSHED", email=f"p{number}@acme.example")

    def queries(numbers: Iterable[int]) -> int:
        kinds = ("email_sent", "email_bounced", "reply_received")
        store(told_by_webhook(payload(kind, f"p{number}@acme.example")) for number in numbers for kind in kinds)
        with CaptureQueriesContext(connection) as seen:
            assert apply() == len(list(numbers)) * 3
        return len(seen)

    assert queries(range(10, 60)) == queries(range(10))


KINDS = ("email_sent", "email_bounced", "reply_received", "lead_unsubscribed", "lead_not_interested", "email_opened")
PEOPLE = 1500


def end_state() -> tuple[Any, ...]:
    """What is left of all that was told, but for the words of who was first."""
    leads = Lead.objects.order_by("campaign_id", "email")
    columns = ("email", "state", "sent_at", "bounced_at", "replied_at", "unsubscribed_at")
    listed = Suppression.objects.order_by("value").values_list("value", "cause")
    return list(leads.values_list(*columns)), list(listed)


def test_ten_thousand_events_shuffled_doubled_and_late_leave_what_they_leave_in_order() -> None:
    chance = random.Random(41)
    begin = ago(3 * 86_400)
    pushed, open_ones = make_campaign(instantly_campaign_id="a"), make_campaign(instantly_campaign_id="b")
    emails = [f"p{number}@acme.example" for number in range(PEOPLE)]
    in_order = []
    for number in range(8000):
        at = begin + timedelta(seconds=number)
        in_order.append(payload(chance.choice(KINDS), chance.choice(emails), chance.choice("ab"), at))

    def begin_anew() -> None:
        for model in (OutcomeEvent, Suppression, Lead):
            model.objects.all().delete()
        Lead.objects.bulk_create(Lead(campaign=pushed, email=email, state="PUSHED", ended_at=begin) for email in emails)
        Lead.objects.bulk_create(Lead(campaign=open_ones, email=email) for email in emails)

    def run(payloads: list[dict[str, Any]], at_once: int) -> tuple[Any, ...]:
        begin_anew()
        for start in range(0, len(payloads), at_once):
            tell(*payloads[start : start + at_once])
        return end_state()

    expected = run(in_order, 1000)
    # Late by a day: told again or for the first time when everything else has long been applied.
    late = chance.sample(in_order, 500)
    told = [one for one in in_order if one not in late] + chance.sample(in_order, 2000)
    chance.shuffle(told)
    assert len(told) + len(late) >= 10_000 - 500
    assert run(told + late, 777) == expected


def test_a_contact_remembers_the_strongest_of_what_came_back_in_whatever_order_it_is_told() -> None:
    make_lead(state="PUSHED", email=IDA)
    Contact.objects.create(key=IDA)
    for kind, shown in (("reply_received", "replied"), ("lead_unsubscribed", "unsubscribed"), ("email_sent", None)):
        tell(payload(kind))
        assert Contact.objects.get().outcome == (shown or "unsubscribed")
