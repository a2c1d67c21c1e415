"""A campaign holds after its first leads: so many are written, nothing is pushed, and nothing is lost or failed."""

import io
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from campaigns import apollo_url, feed, finish, first_leads, jobs, lifecycle, recovery, story
from campaigns.leads.importing import import_csv
from campaigns.models import Campaign, Contact, JobRow, Lead
from campaigns.moves import MoveRefused
from campaigns.reconcile import reconcile
from circuitbreakers.models import Event
from circuitbreakers.services import SERVICES
from integrations.sandbox import Sandbox
from tests.breakers import Beside, at_once, reset, trip
from tests.builders import make_campaign, make_fleet, make_lead, make_verdict
from tests.stores import another_session, calls_of
from tests.workers.chain import ANN, TARGET, again
from workers.dispatch import dispatch
from workers.run import run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]
races = pytest.mark.django_db(transaction=True)
# 127 people of the sandbox's.
URL = "https://app.apollo.io/#/people?personTitles[]=cto&personLocations[]=germany&sortAscending=false&page=1"


def started(leads: int = 30, first: int | None = 10, **fields: Any) -> Campaign:
    campaign = make_campaign("CREATED", instantly_campaign_id=TARGET, **fields)
    for _ in range(leads):
        make_lead(campaign)
    return lifecycle.start(campaign.pk, actor=ANN, first=first)


def work_off(campaign: Campaign) -> None:
    """Feed it and run what may run, job by job, until nothing does."""
    moved = True
    while moved:
        feed.feed()
        waiting = JobRow.objects.filter(campaign=campaign, status="PENDING").order_by("id")
        moved = [again(job) for job in waiting].count("completed") > 0


def states(campaign: Campaign) -> dict[str, int]:
    rows = campaign.leads.values_list("state", "stage")
    counted: dict[str, int] = {}
    for state, stage in rows:
        name = (stage or "untouched") if state == "OPEN" else state
        counted[name] = counted.get(name, 0) + 1
    return counted


def hold_of(campaign: Campaign) -> str:
    return first_leads.hold_of(Campaign.objects.get(pk=campaign.pk))


def paid_calls(sandbox: Sandbox) -> dict[str, int]:
    return {name: len([call for call in calls_of(sandbox, name) if call["charged"]]) for name in SERVICES}


def test_the_first_leads_are_written_and_nothing_is_pushed_until_somebody_goes_on(sandbox: Sandbox) -> None:
    campaign = started()
    work_off(campaign)
    assert states(campaign) == {"push": 10, "untouched": 20}
    assert hold_of(campaign) == "Holds after the first 10 leads: 10 written. Read the mails, then go on."
    assert dispatch() == 0
    assert len(first_leads.written(campaign)) == first_leads.holding() * 10 == 10
    assert finish.finish_campaigns() == 0
    assert set(campaign.job_rows.filter(kind="push").values_list("attempts", "error", "fence")) == {(0, None, 0)}
    first_leads.go_on(campaign.pk, actor=ANN, reason="they read well")
    assert hold_of(campaign) == ""
    work_off(campaign)
    assert states(campaign) == {"PUSHED": 30}
    assert finish.finish_campaigns() == 1
    assert reconcile() == []
    assert paid_calls(sandbox) == {**dict.fromkeys(SERVICES, 30), "apollo": 0}
    event = Event.objects.get(verb="gone_on")
    assert (event.actor, event.reason, event.before) == ("ann", "they read well", {"first_leads": 10})


def test_what_is_under_way_is_said_and_holds_nothing_up_yet() -> None:
    campaign = started(first=2)
    work_off(campaign)
    JobRow.objects.filter(campaign=campaign, kind="push").first().delete()  # type: ignore[union-attr]
    lead = Lead.objects.filter(campaign=campaign, stage="push", job_rows__kind="push").get()
    Lead.objects.filter(campaign=campaign, stage="push").exclude(pk=lead.pk).update(stage="write")
    JobRow.objects.filter(campaign=campaign, kind="write").exclude(lead=lead).update(
        status="PENDING", completed_at=None
    )
    assert hold_of(campaign).startswith("Holds after the first 2 leads: 1 written, 1 in work.")
    assert first_leads.holding() == 0
    assert dispatch() == 1


def test_a_lead_says_that_its_mail_is_to_be_read_or_that_it_is_not_among_the_first() -> None:
    campaign = started(leads=2, first=1)
    work_off(campaign)
    written, other = Lead.objects.get(stage="push"), Lead.objects.get(stage="")
    why = [story.tell(lead, now=timezone.now(), queue={}, blocked={}).why for lead in (written, other)]
    assert why == [
        "Its mail is written: its campaign holds after its first lead. Read the mails, then go on.",
        "It is not among them: its campaign holds after its first lead. Read the mails, then go on.",
    ]


def test_fewer_leads_than_were_asked_for_are_held_before_their_push_all_the_same() -> None:
    campaign = started(leads=3)
    work_off(campaign)
    assert states(campaign) == {"push": 3}
    assert first_leads.holding() == 1


def test_who_may_not_be_written_to_is_not_one_of_the_first() -> None:
    other = make_campaign()
    held = [make_lead(other) for _ in range(4)]
    feed.feed()
    campaign = make_campaign("CREATED", instantly_campaign_id=TARGET)
    for lead in held:
        make_lead(campaign, email=lead.email)
    for _ in range(20):
        make_lead(campaign)
    lifecycle.start(campaign.pk, actor=ANN, first=10)
    work_off(campaign)
    assert states(campaign) == {"push": 10, "DROPPED": 4, "untouched": 10}
    assert hold_of(campaign).startswith("Holds after the first 10 leads: 10 written.")


def test_an_import_in_between_adds_nobody_to_the_first() -> None:
    campaign = started(leads=5, first=3)
    work_off(campaign)
    import_csv(campaign, io.BytesIO(b"Email\nann+ok@other.example\nbo+ok@other.example\n"), actor=ANN)
    work_off(campaign)
    assert states(campaign) == {"push": 3, "untouched": 4}


def test_all_of_the_first_that_are_dropped_leave_a_campaign_that_still_holds() -> None:
    campaign = make_campaign("CREATED", instantly_campaign_id=TARGET)
    leads = [make_lead(campaign) for _ in range(4)]
    for lead in leads:
        make_verdict(lead.email or "", "invalid")
    lifecycle.start(campaign.pk, actor=ANN, first=3)
    work_off(campaign)
    assert states(campaign) == {"DROPPED": 3, "untouched": 1}
    assert hold_of(campaign) == "Holds after the first 3 leads: 3 dropped. Read the mails, then go on."
    assert (first_leads.holding(), finish.finish_campaigns()) == (1, 0)
    first_leads.go_on(campaign.pk, actor=ANN)
    work_off(campaign)
    assert finish.finish_campaigns() == 1


def test_a_campaign_of_which_nothing_is_left_ends_as_always() -> None:
    campaign = make_campaign("CREATED", instantly_campaign_id=TARGET)
    make_verdict(make_lead(campaign).email or "", "invalid")
    lifecycle.start(campaign.pk, actor=ANN, first=10)
    work_off(campaign)
    assert finish.finish_campaigns() == 1
    assert (hold_of(campaign), first_leads.holding()) == ("", 0)
    with pytest.raises(MoveRefused, match="has ended already"):
        first_leads.go_on(campaign.pk, actor=ANN)


# --- a search ---------------------------------------------------------------------------------------------------------


def searching(first: int, max_leads: int = 120, **fields: Any) -> Campaign:
    search = apollo_url.from_url(URL).params
    return started(leads=0, first=first, search=search, max_leads=max_leads, **fields)


def revealed(campaign: Campaign) -> int:
    done = campaign.job_rows.filter(kind="reveal", status="COMPLETED").values_list("payload", flat=True)
    return sum(len(payload["people"]) for payload in done)


def test_of_a_search_no_more_people_are_revealed_than_the_first_leads_need(sandbox: Sandbox) -> None:
    campaign = searching(first=10)
    work_off(campaign)
    assert Campaign.objects.get(pk=campaign.pk).first_left == 0
    taken = campaign.leads.exclude(stage="").count()
    assert taken == 10
    # Tens are revealed at once: at most nine more than ten leads need.
    assert revealed(campaign) <= taken + campaign.leads.filter(state="DROPPED", stage="").count() + 9
    assert campaign.job_rows.filter(kind="find", status="COMPLETED").count() == 1
    assert first_leads.holding() == 1
    assert dispatch() == 0
    first_leads.go_on(campaign.pk, actor=ANN)
    work_off(campaign)
    assert finish.finish_campaigns() == 1
    assert campaign.job_rows.filter(kind="find").count() == 2
    pushed = campaign.leads.filter(state="PUSHED").count()
    assert pushed > 20


def test_one_reveal_at_a_time_while_one_is_enough() -> None:
    campaign = searching(first=10)
    again(campaign.job_rows.get(kind="find"))
    assert dispatch() == 1
    reveals = list(campaign.job_rows.filter(kind="reveal").order_by("part"))
    assert len(reveals) > 2
    first, second = jobs.claim(reveals[0].pk, "apollo", "host:1"), jobs.claim(reveals[1].pk, "apollo", "host:2")
    assert (first is not None, second) == (True, None)


def test_twenty_first_leads_are_revealed_by_two_at_once() -> None:
    campaign = searching(first=20)
    again(campaign.job_rows.get(kind="find"))
    reveals = campaign.job_rows.filter(kind="reveal").order_by("part")[:3]
    assert [jobs.claim(job.pk, "apollo", "host:1") is not None for job in reveals] == [True, True, False]


def test_a_reveal_that_fails_for_good_gives_its_turn_to_the_next() -> None:
    campaign = searching(first=10)
    again(campaign.job_rows.get(kind="find"))
    first, second = campaign.job_rows.filter(kind="reveal").order_by("part")[:2]
    JobRow.objects.filter(pk=first.pk).update(status="FAILED", completed_at=timezone.now())
    assert jobs.claim(second.pk, "apollo", "host:1") is not None


def test_a_page_of_which_nobody_may_be_written_to_is_followed_by_the_next() -> None:
    other = searching(first=10)
    again(other.job_rows.get(kind="find"))  # holds the people of the first page
    assert Contact.objects.filter(campaign=other).exists()
    campaign = searching(first=10)
    work_off(campaign)
    assert campaign.job_rows.filter(kind="find", status="COMPLETED").count() == 2
    assert campaign.leads.exclude(stage="").exists()


def test_leads_that_are_there_already_are_enough_without_a_reveal() -> None:
    campaign = make_campaign("CREATED", instantly_campaign_id=TARGET, search=apollo_url.from_url(URL).params)
    for _ in range(15):
        make_lead(campaign)
    lifecycle.start(campaign.pk, actor=ANN, first=10)
    work_off(campaign)
    assert not campaign.job_rows.filter(kind="reveal", status="COMPLETED").exists()
    assert states(campaign) == {"push": 10, "untouched": 5}


# --- pauses -----------------------------------------------------------------------------------------------------------


def test_a_trip_and_a_resume_in_the_middle_change_nothing_of_it() -> None:
    campaign = started(first=4)
    for job in campaign.job_rows.filter(kind="verify"):
        again(job)
    trip("openai")
    assert Campaign.objects.get(pk=campaign.pk).status == "PAUSED"
    assert hold_of(campaign).startswith("Holds after the first 4 leads: 4 in work.")
    reset("openai")
    make_fleet()
    recovery.resume(actor=ANN)
    work_off(campaign)
    assert states(campaign) == {"push": 4, "untouched": 26}
    assert first_leads.holding() == 1


def test_an_operators_pause_stays_when_it_goes_on() -> None:
    campaign = started(leads=4, first=2)
    work_off(campaign)
    lifecycle.pause(campaign.pk, actor=ANN, reason="lunch")
    assert first_leads.go_on(campaign.pk, actor=ANN).status == "PAUSED"
    assert dispatch() == 0
    lifecycle.resume(campaign.pk, actor=ANN)
    work_off(campaign)
    assert states(campaign) == {"PUSHED": 4}


# --- races ------------------------------------------------------------------------------------------------------------


@races
def test_many_feeders_at_once_take_no_more_than_the_first() -> None:
    campaign = started(leads=0, first=10, search={"person_titles[]": ["CTO"]})
    Lead.objects.bulk_create(Lead(campaign=campaign, email=f"p{n}+ok@acme.example") for n in range(200))
    for _ in range(3):
        results = at_once(*[feed.feed] * 4)
        assert [result for result in results if isinstance(result, BaseException)] == []
    assert states(campaign)["verify"] == campaign.job_rows.filter(kind="verify").count() == 10
    assert Campaign.objects.get(pk=campaign.pk).first_left == 0


def changed_while_feeding(first_left: str) -> int:
    """How many a feeder takes in beside somebody who changes what is left, and commits before it can."""
    campaign = make_campaign(first_leads=10, first_left=10)
    for _ in range(20):
        make_lead(campaign)
    with another_session() as somebody:
        first = "NULL" if first_left == "NULL" else "first_leads"
        change = f"UPDATE campaigns SET first_left = {first_left}, first_leads = {first} WHERE id = {campaign.pk}"
        somebody.execute(change)
        feeder = Beside(feed.feed)
        feeder.until_it_waits()
        somebody.commit()
        fed = int(feeder.result())
    assert campaign.job_rows.filter(kind="verify").count() == fed
    assert campaign.leads.exclude(stage="").count() == fed
    return fed


@races
def test_a_feeder_that_comes_second_takes_none_or_all_of_what_is_left() -> None:
    assert changed_while_feeding("4") == 0  # its ten would be more: the next round takes four
    assert feed.feed() == 4


@races
def test_a_feeder_beside_whoever_goes_on_takes_what_it_had_looked_at() -> None:
    assert changed_while_feeding("NULL") == 10
    assert feed.feed() == 10


@races
def test_going_on_while_the_last_lead_is_written_pushes_that_one_too() -> None:
    campaign = started(leads=3, first=1)
    job = campaign.job_rows.get(kind="verify")
    while job.kind != "write":
        assert again(job) == "completed"
        job = campaign.job_rows.get(status="PENDING")
    writing = Beside(lambda: run(job.pk, job.service))
    gone_on = Beside(lambda: first_leads.go_on(campaign.pk, actor=ANN))
    assert (writing.result(), gone_on.result().status) == ("completed", "RUNNING")
    work_off(campaign)
    assert states(campaign) == {"PUSHED": 3}


@races
def test_of_two_who_have_it_go_on_one_does() -> None:
    campaign = started(leads=2, first=1)
    results = at_once(*[lambda: first_leads.go_on(campaign.pk, actor=ANN)] * 3)
    assert sorted(type(result).__name__ for result in results) == ["Campaign", "MoveRefused", "MoveRefused"]
    assert Event.objects.filter(verb="gone_on").count() == 1
    assert "does not hold after its first leads" in str(next(r for r in results if isinstance(r, MoveRefused)))


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, -1, 101, 10**9])
def test_a_number_that_makes_no_sense_starts_nothing(number: int) -> None:
    campaign = make_campaign("CREATED")
    make_lead(campaign)
    with pytest.raises(MoveRefused, match="1 to 100"):
        lifecycle.start(campaign.pk, actor=ANN, first=number)
    campaign.refresh_from_db()
    assert campaign.status == "CREATED"


@pytest.mark.parametrize(("first", "left"), [(None, 5), (5, None), (5, 6), (0, 0), (101, 1)])
def test_an_impossible_row_is_refused_by_the_database(first: int | None, left: int | None) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make_campaign(first_leads=first, first_left=left)


def test_the_start_is_on_record_with_its_number() -> None:
    started(leads=1, first=7)
    assert Event.objects.get(verb="started").after == {"status": "RUNNING", "first_leads": 7}
