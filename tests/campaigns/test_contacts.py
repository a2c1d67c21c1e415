"""One person, one conversation: who is taken in, who is dropped before anything is paid for, and in whose words."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from campaigns import feed, finish, tallies
from campaigns.contacts.names import counted_domain, registrable
from campaigns.contacts.policy import ContactPolicy, PolicyRefused, Standing, parse, refusal
from campaigns.models import Campaign, Contact, JobRow, Lead
from tests.breakers import at_once
from tests.builders import ago, make_campaign, make_lead

NOW = timezone.now()
POLICY = ContactPolicy(exclusive=True, cooldown_days=90, domain_people=0, domain_days=30)
DAY = 86_400


def fed(campaign: Campaign, email: str, **fields: Any) -> Lead:
    """A new lead of this campaign, after the feed has seen it."""
    lead = make_lead(campaign, email=email, **fields)
    feed.feed()
    lead.refresh_from_db()
    return lead


def today() -> str:
    return f"{timezone.now():%Y-%m-%d}"


# --- the policy -------------------------------------------------------------------------------------------------------


def test_somebody_whom_nobody_knows_may_be_written_to() -> None:
    assert refusal(POLICY, 7, [Standing()], NOW) == ""


def test_who_is_held_elsewhere_is_refused_and_who_is_held_here_is_not() -> None:
    held = Standing(held_by=12, held_since=NOW)
    assert refusal(POLICY, 7, [Standing(), held], NOW) == f"in conversation by campaign 12 since {NOW:%Y-%m-%d}"
    assert refusal(POLICY, 12, [held], NOW) == ""
    assert refusal(ContactPolicy(False, 90, 0, 30), 7, [held], NOW) == ""


@pytest.mark.parametrize(("days", "refused"), [(1, True), (89, True), (91, False)])
def test_a_person_is_left_alone_for_the_days_of_the_cool_down(days: int, refused: bool) -> None:
    pushed = Standing(pushed_by=12, pushed_at=NOW - timedelta(days=days))
    why = f"written to by campaign 12 on {NOW - timedelta(days=days):%Y-%m-%d}"
    assert refusal(POLICY, 7, [pushed], NOW) == (why if refused else "")
    assert refusal(POLICY, 12, [pushed], NOW) == ""
    assert refusal(ContactPolicy(True, 0, 0, 30), 7, [pushed], NOW) == ""


def test_a_domain_is_what_somebody_has_registered() -> None:
    assert [registrable(name) for name in ("mail.acme.co.uk", "acme.example", "a.b.acme.example", "ida.github.io")] == [
        "acme.co.uk",
        "acme.example",
        "acme.example",
        "ida.github.io",
    ]


def test_free_mail_and_apollos_ids_are_no_company() -> None:
    assert counted_domain("ida@gmail.com") == counted_domain("apollo:66") == ""
    assert counted_domain("ida@mail.acme.example") == "acme.example"


@pytest.mark.parametrize(
    "departures", [{"exclusive": 1}, {"cooldown_days": -1}, {"cooldown_days": True}, {"domain_days": 0}, {"x": 1}]
)
def test_what_no_policy_can_be_is_refused_by_its_name(departures: dict[str, Any]) -> None:
    with pytest.raises(PolicyRefused, match=next(iter(departures))):
        parse(departures)


# --- the feed ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_person_in_two_campaigns_is_taken_in_by_one_and_nothing_is_bought_by_the_other() -> None:
    first, second = make_campaign(), make_campaign()
    won, lost = fed(first, "ida@acme.example"), fed(second, "ida@acme.example")
    assert (won.state, won.stage) == ("OPEN", "verify")
    assert (lost.state, lost.stage) == ("DROPPED", "")
    assert lost.end_reason == f"in conversation by campaign {first.pk} since {today()}"
    assert list(JobRow.objects.filter(kind="verify").values_list("lead", flat=True)) == [won.pk]
    contact = Contact.objects.get()
    assert (contact.key, contact.domain, contact.campaign_id, contact.lead_id) == (
        *("ida@acme.example", "acme.example", first.pk, won.pk),
    )
    assert contact.pushed_at is None


@pytest.mark.django_db
def test_of_two_in_one_round_the_first_lead_wins() -> None:
    leads = [make_lead(make_campaign(), email="ida@acme.example") for _ in range(3)]
    assert feed.feed() == 1
    assert list(Lead.objects.order_by("pk").values_list("state", flat=True)) == ["OPEN", "DROPPED", "DROPPED"]
    assert Contact.objects.get().lead_id == leads[0].pk


@pytest.mark.django_db
def test_the_same_person_under_another_address_is_known_by_apollos_id() -> None:
    first = make_campaign()
    fed(first, "ida@acme.example", apollo_id="66aa")
    lost = fed(make_campaign(), "ida@home.example", apollo_id="66aa")
    assert lost.end_reason == f"in conversation by campaign {first.pk} since {today()}"


@pytest.mark.django_db
def test_who_lost_by_one_name_does_not_keep_the_other_from_a_third() -> None:
    fed(make_campaign(), "ida@acme.example")
    make_lead(make_campaign(), email="ida@acme.example", apollo_id="66aa")
    third = make_lead(make_campaign(), email="ida@home.example", apollo_id="66aa")
    feed.feed()
    third.refresh_from_db()
    assert third.state == "OPEN"
    assert set(Contact.objects.filter(lead=third).values_list("key", flat=True)) == {"ida@home.example", "apollo:66aa"}


@pytest.mark.django_db
@pytest.mark.parametrize("how", ["the lead ended", "the campaign ended"])
def test_a_conversation_that_is_over_holds_nobody(how: str) -> None:
    first = make_campaign()
    lead = fed(first, "ida@acme.example")
    if how == "the lead ended":
        Lead.objects.filter(pk=lead.pk).update(state="DROPPED", end_reason="undeliverable: invalid", ended_at=ago(1))
    else:
        Campaign.objects.filter(pk=first.pk).update(status="CANCELLED", finished_at=ago(1))
    second = fed(make_campaign(), "ida@acme.example")
    assert second.state == "OPEN"
    assert Contact.objects.get().lead_id == second.pk


@pytest.mark.django_db
def test_a_paused_campaign_keeps_whom_it_holds() -> None:
    first = make_campaign()
    fed(first, "ida@acme.example")
    Campaign.objects.filter(pk=first.pk).update(status="PAUSED", system_paused_at=ago(1))
    assert fed(make_campaign(), "ida@acme.example").state == "DROPPED"


@pytest.mark.django_db
@pytest.mark.parametrize(("days", "state"), [(10, "DROPPED"), (100, "OPEN")])
def test_who_was_pushed_lately_is_dropped_with_the_campaign_and_the_day(days: int, state: str) -> None:
    first = make_campaign()
    lead = fed(first, "ida@acme.example")
    Lead.objects.filter(pk=lead.pk).update(state="PUSHED", ended_at=ago(1))
    assert Contact.objects.get().pushed_by_id == first.pk  # the row itself writes it down
    Contact.objects.update(pushed_at=ago(days * DAY))
    again = fed(make_campaign(), "ida@acme.example")
    assert again.state == state
    if state == "DROPPED":
        assert again.end_reason == f"written to by campaign {first.pk} on {ago(days * DAY):%Y-%m-%d}"


@pytest.mark.django_db
def test_so_many_people_of_a_company_and_no_more(settings: Settings) -> None:
    settings.CONTACT_DOMAIN_PEOPLE = 2
    campaign = make_campaign()
    for name in ("ida", "bob", "eva"):
        make_lead(campaign, email=f"{name}@{name}.acme.example")
    for name in ("ida", "bob", "eva"):
        make_lead(campaign, email=f"{name}@gmail.com")
    feed.feed()
    (dropped,) = Lead.objects.filter(state="DROPPED")
    assert (dropped.email, dropped.end_reason) == (
        "eva@eva.acme.example",
        "2 people of acme.example written to in 30 days or about to be",
    )
    Lead.objects.filter(email__endswith="acme.example", state="OPEN").update(state="PUSHED", ended_at=ago(1))
    late = fed(make_campaign(), "max@acme.example")
    assert late.end_reason == "2 people of acme.example written to in 30 days"
    Contact.objects.filter(pushed_at__isnull=False).update(pushed_at=ago(31 * DAY))
    assert fed(make_campaign(), "max@acme.example").state == "OPEN"


@pytest.mark.django_db
def test_a_campaign_may_depart_from_the_policy() -> None:
    fed(make_campaign(), "ida@acme.example")
    shared = make_campaign(contact_policy={"exclusive": False})
    assert fed(shared, "ida@acme.example").state == "OPEN"
    # Who held the person first goes on holding it.
    assert Contact.objects.get().campaign_id != shared.pk


@pytest.mark.django_db
def test_the_dropped_are_counted_and_a_campaign_of_them_alone_ends() -> None:
    fed(make_campaign(), "ida@acme.example")
    campaign = make_campaign()
    fed(campaign, "ida@acme.example")
    assert tallies.progress([campaign.pk])[campaign.pk].leads["DROPPED"] == 1
    assert finish.finish_campaigns() == 1
    campaign.refresh_from_db()
    assert campaign.status == "COMPLETED"


@pytest.mark.django_db
def test_a_round_costs_the_same_statements_for_one_lead_as_for_hundreds() -> None:
    numbers = []
    for leads in (2, 300):
        for campaign in (make_campaign(), make_campaign()):
            for number in range(leads):
                make_lead(campaign, email=f"ida{number}@acme{leads}.example")
        with CaptureQueriesContext(connection) as captured:
            assert feed.feed() == leads
        numbers.append(len(captured))
    assert numbers[0] == numbers[1]


@pytest.mark.django_db(transaction=True)
def test_feeders_at_the_same_time_neither_deadlock_nor_take_a_person_twice() -> None:
    campaigns = [make_campaign() for _ in range(4)]
    for place, campaign in enumerate(campaigns):
        numbers = range(100) if place % 2 else range(99, -1, -1)
        Lead.objects.bulk_create(
            Lead(campaign=campaign, email=f"ida{number}@acme{number}.example") for number in numbers
        )
    assert all(isinstance(fed_now, int) for fed_now in at_once(*[feed.feed] * 4))
    while Lead.objects.filter(state="OPEN", stage="").exists():  # who skipped what another had locked
        feed.feed()
    assert (
        Lead.objects.filter(state="OPEN").count()
        == Lead.objects.filter(state="OPEN").values("email").distinct().count()
    )
    open_leads = Lead.objects.filter(state="OPEN")
    assert open_leads.count() == open_leads.values("email").distinct().count() == 100
    assert Lead.objects.filter(state="DROPPED").count() == 300
