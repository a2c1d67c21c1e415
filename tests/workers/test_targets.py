"""A target that does not send: its campaign waits, whole, and goes on by itself; if all refuse, everything stops."""

import io
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import lifecycle, moves, recovery, story, targets
from campaigns.models import Campaign, JobRow
from campaigns.target_halts import ACCOUNTS_UNHEALTHY, BOUNCE_PROTECTION, PAUSED_THERE, PLAN_USED_UP, SUSPENDED
from circuitbreakers import breaker, switch
from circuitbreakers.models import Event, Incident
from console import snapshot as console_snapshot
from integrations.sandbox import Sandbox
from integrations.sandbox.instantly.workspace import PLAN_LEADS, campaign_id
from tests.breakers import ANN, let_the_wait_pass, reset
from tests.builders import ago, make_campaign, make_fleet, make_user
from tests.stores import break_vendor, calls_of
from tests.workers.chain import KINDS, TARGET, job_of
from workers.ask_targets import Asker, stop_if_all_refuse
from workers.dispatch import dispatch
from workers.run import run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("well_again")]
OTHER = campaign_id("Win back")


def workspace(sandbox: Sandbox) -> Any:
    vendor: Any = next(vendor for vendor in sandbox.vendors if vendor.name == "instantly")
    return vendor.workspace


@pytest.fixture
def well_again(sandbox: Sandbox) -> Any:
    yield
    workspace(sandbox).plan = PLAN_LEADS
    for target in (TARGET, OTHER):
        workspace(sandbox).order_status(target, 1)


def now(task: Callable[[], object]) -> None:
    """Run it at once, on this thread and in this transaction."""
    task()


def ask(asker: Asker | None = None) -> int:
    """Ask about every target, however lately it was asked."""
    Campaign.objects.update(target_checked_at=None)
    return (asker or Asker()).ask_due(now)


def halt(pk: int) -> str:
    return Campaign.objects.values_list("target_halt", flat=True).get(pk=pk)


def asked(sandbox: Sandbox) -> list[str]:
    return [call["path"] for call in calls_of(sandbox, "instantly") if call["path"].endswith("/sending-status")]


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (-99, SUSPENDED), (-2, BOUNCE_PROTECTION), (-1, ACCOUNTS_UNHEALTHY), (2, PAUSED_THERE),
        (0, ""), (1, ""), (3, ""), (4, ""),
    ],
)  # fmt: skip
def test_what_instantly_says_of_a_target_becomes_a_sentence(sandbox: Sandbox, status: int, sentence: str) -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    workspace(sandbox).order_status(TARGET, status)
    ask()
    assert halt(campaign.pk) == sentence


def test_a_plan_that_is_used_up_halts_and_room_lets_go_on(sandbox: Sandbox) -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    workspace(sandbox).plan = 0
    ask()
    assert halt(campaign.pk) == PLAN_USED_UP
    workspace(sandbox).plan = 5
    ask()
    assert halt(campaign.pk) == ""


def test_nothing_of_a_halted_campaign_is_sent_or_claimed_while_another_goes_on(sandbox: Sandbox) -> None:
    halted, other = make_campaign(instantly_campaign_id=TARGET), make_campaign(instantly_campaign_id=OTHER)
    theirs = [job_of(service, halted) for service in KINDS]
    mine = [job_of(service, other) for service in KINDS]
    workspace(sandbox).order_status(TARGET, 2)
    ask()
    sandbox.ledger.clear()
    assert dispatch() == len(mine)
    assert not JobRow.objects.filter(campaign=halted).exclude(sent_at=None).exists()
    for job in theirs:  # a message of before the halt
        assert run(job.pk, job.service) == "nothing"
    assert calls_of(sandbox) == []
    for job in mine:
        assert run(job.pk, job.service) == "completed"


def test_a_halted_campaign_goes_on_by_itself_and_has_spent_neither_attempt_nor_money(sandbox: Sandbox) -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    job = job_of("instantly", campaign)
    workspace(sandbox).order_status(TARGET, -2)
    ask()
    assert [dispatch(), run(job.pk, "instantly")] == [0, "nothing"]
    job.refresh_from_db()
    assert (job.status, job.attempts, job.fence, job.crashes) == ("PENDING", 0, 0, 0)
    assert (Campaign.objects.get().status, job.lead.state if job.lead else "") == ("RUNNING", "OPEN")
    workspace(sandbox).order_status(TARGET, 1)
    ask()
    assert dispatch() == 1
    assert run(job.pk, "instantly") == "completed"
    told = Event.objects.filter(subject_type="campaign", verb__startswith="target_").order_by("id")
    assert [(event.verb, event.before, event.after) for event in told] == [
        ("target_halted", {"target_halt": ""}, {"target_halt": BOUNCE_PROTECTION}),
        ("target_goes_on", {"target_halt": BOUNCE_PROTECTION}, {"target_halt": ""}),
    ]


def test_two_campaigns_that_share_a_target_are_asked_once_and_both_halted(sandbox: Sandbox) -> None:
    first, second = make_campaign(instantly_campaign_id=TARGET), make_campaign("PAUSED", instantly_campaign_id=TARGET)
    workspace(sandbox).order_status(TARGET, -1)
    ask()
    assert len(asked(sandbox)) == 1
    assert halt(first.pk) == halt(second.pk) == ACCOUNTS_UNHEALTHY


def test_a_target_is_asked_every_five_minutes_also_while_the_system_is_paused_but_not_after_the_end(
    sandbox: Sandbox,
) -> None:
    fields = {"instantly_campaign_id": TARGET, "target_checked_at": ago(299)}
    campaign = make_campaign("PAUSED", **fields)
    make_campaign("COMPLETED", instantly_campaign_id=OTHER)
    asker = Asker()
    assert asker.ask_due(now) == 0
    Campaign.objects.filter(pk=campaign.pk).update(target_checked_at=ago(301))
    assert [asker.ask_due(now), asker.ask_due(now)] == [1, 0]
    assert len(asked(sandbox)) == 1


def test_a_status_that_cannot_be_read_changes_nothing_is_logged_once_and_counts_against_nobody(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET, target_halt=PAUSED_THERE)
    break_vendor(sandbox, "instantly", "bad_key")
    asker = Asker()
    for _ in range(3):
        asker.rests.clear()
        ask(asker)
    assert halt(campaign.pk) == PAUSED_THERE
    assert Campaign.objects.get().target_checked_at is None
    assert caplog.text.count(f"Target {TARGET} cannot be read") == 1
    assert (switch.read("instantly").state, switch.read("instantly").failure_count) == ("closed", 0)
    break_vendor(sandbox, "instantly", "none")
    asker.rests.clear()
    ask(asker)
    assert halt(campaign.pk) == ""


def test_an_instantly_that_fails_is_left_alone_for_a_minute(sandbox: Sandbox) -> None:
    make_campaign(instantly_campaign_id=TARGET)
    make_campaign(instantly_campaign_id=OTHER)
    break_vendor(sandbox, "instantly", "server_error")
    asker = Asker()
    assert [asker.ask_due(now), asker.ask_due(now)] == [2, 0]
    assert len(calls_of(sandbox, "instantly")) == 2  # the plan, the first target


def test_a_target_that_cannot_be_read_does_not_keep_the_others_from_being_asked_for_ever(
    sandbox: Sandbox,
) -> None:
    make_campaign(instantly_campaign_id=TARGET)
    other = make_campaign(instantly_campaign_id=OTHER, target_checked_at=ago(301))
    workspace(sandbox).order_status(OTHER, 2)
    break_vendor(sandbox, "instantly", "server_error")
    asker = Asker()
    assert asker.ask_due(now) == 2
    break_vendor(sandbox, "instantly", "none")
    assert asker.ask_due(now) == 0
    asker.rests[""] = 0.0  # a minute later
    assert asker.ask_due(now) == 1
    assert halt(other.pk) == PAUSED_THERE


def test_a_target_that_is_gone_keeps_no_other_from_being_asked(sandbox: Sandbox) -> None:
    make_campaign(instantly_campaign_id="gone")
    there = make_campaign(instantly_campaign_id=TARGET)
    workspace(sandbox).order_status(TARGET, 2)
    assert ask() == 2
    assert halt(there.pk) == PAUSED_THERE


def test_nothing_is_asked_while_instantly_wishes_to_be_left_alone(sandbox: Sandbox) -> None:
    make_campaign(instantly_campaign_id=TARGET)
    switch.run("slow_down", "instantly", [60_000_000])
    assert ask() == 0
    assert calls_of(sandbox, "instantly") == []


def test_one_thread_asks_at_a_time() -> None:
    make_campaign(instantly_campaign_id=TARGET)
    begun: list[Any] = []
    asker = Asker()
    assert [asker.ask_due(begun.append), asker.ask_due(begun.append)] == [1, 0]
    assert len(begun) == 1


def test_another_target_is_not_halted_and_is_asked_soon(sandbox: Sandbox) -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    workspace(sandbox).order_status(TARGET, 2)
    ask()
    lifecycle.retarget(campaign.pk, target=OTHER, actor=ANN)
    assert halt(campaign.pk) == ""
    assert Asker().ask_due(now) == 1
    assert halt(campaign.pk) == ""


def test_an_answer_about_a_former_target_halts_nobody() -> None:
    campaign = make_campaign(instantly_campaign_id=OTHER)
    assert targets.note(TARGET, lambda _: SUSPENDED, asked_at=targets.clock()) == []
    assert halt(campaign.pk) == ""


def test_the_push_that_takes_the_last_place_of_the_plan_halts_its_campaign(sandbox: Sandbox) -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    last, late = job_of("instantly", campaign), job_of("instantly", campaign)
    workspace(sandbox).plan = 1
    assert run(last.pk, "instantly") == "completed"
    assert halt(campaign.pk) == PLAN_USED_UP
    assert run(late.pk, "instantly") == "nothing"
    assert switch.read("instantly").state == "closed"


# --- all refuse -------------------------------------------------------------------------------------------------------


def two_running() -> tuple[Campaign, Campaign]:
    fields: dict[str, Any] = {"started_at": ago(100), "running_since": ago(100)}
    return make_campaign(instantly_campaign_id=TARGET, **fields), make_campaign(instantly_campaign_id=OTHER, **fields)


def refuse(sandbox: Sandbox, first: int, second: int) -> None:
    workspace(sandbox).order_status(TARGET, first)
    workspace(sandbox).order_status(OTHER, second)
    ask()


def test_when_all_targets_refuse_for_the_accounts_sake_everything_stops_and_says_why(sandbox: Sandbox) -> None:
    two_running()
    refuse(sandbox, -99, -99)
    assert [stop_if_all_refuse(), stop_if_all_refuse()] == [1, 0]
    assert set(Campaign.objects.values_list("status", flat=True)) == {"PAUSED"}
    state = switch.read("instantly")
    assert (state.state, state.held) == ("open", True)
    assert Incident.objects.get().reason == f"held: All 2 targets at Instantly refuse. {SUSPENDED}".rstrip(".")


@pytest.mark.parametrize(("first", "second"), [(-99, 1), (-99, 2), (-1, -2), (-1, 0)])
def test_one_that_sends_or_is_stopped_for_its_own_sake_keeps_the_breaker_closed(
    sandbox: Sandbox, first: int, second: int
) -> None:
    two_running()
    refuse(sandbox, first, second)
    assert stop_if_all_refuse() == 0
    assert switch.read("instantly").state == "closed"


def test_a_single_target_halts_its_campaigns_and_opens_nothing(sandbox: Sandbox) -> None:
    make_campaign(instantly_campaign_id=TARGET)
    make_campaign(instantly_campaign_id=TARGET)
    workspace(sandbox).order_status(TARGET, -99)
    ask()
    assert stop_if_all_refuse() == 0


def test_after_a_reset_and_a_resume_only_a_new_reading_opens_it_again(sandbox: Sandbox) -> None:
    two_running()
    refuse(sandbox, -1, -99)
    assert stop_if_all_refuse() == 1
    make_fleet()
    breaker.release("instantly", actor=ANN, reason="mended")
    let_the_wait_pass("instantly")
    reset("instantly")
    recovery.resume(actor=ANN)
    assert set(Campaign.objects.values_list("status", flat=True)) == {"RUNNING"}
    assert stop_if_all_refuse() == 0
    assert switch.read("instantly").state == "closed"
    ask()
    assert stop_if_all_refuse() == 1


# --- shown, and asked at once -----------------------------------------------------------------------------------------


def why(job: JobRow) -> str:
    assert job.lead is not None
    lead = type(job.lead).objects.get(pk=job.lead.pk)
    active = dict.fromkeys(KINDS, "ACTIVE")
    return story.tell(lead, now=timezone.now(), queue=active, blocked={}).why


def test_every_door_says_in_the_same_sentence_what_a_halted_campaign_waits_for(client: Client) -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET, target_halt=SUSPENDED, target_checked_at=timezone.now())
    job = job_of("instantly", campaign)
    assert why(job) == f"{SUSPENDED} Nothing is bought for it meanwhile; it goes on by itself."
    client.force_login(make_user("vera", "viewer"))
    make_fleet()
    api = "/api/v1/campaigns"
    assert client.get(f"{api}/{campaign.pk}").json()["data"]["target_halt"] == SUSPENDED
    assert client.get(f"{api}/{campaign.pk}").json()["data"]["target_checked_at"]
    assert client.get(api).json()["data"]["results"][0]["target_halt"] == SUSPENDED
    for page in ("index", "campaigns_campaign_changelist"):
        assert SUSPENDED in unescape(client.get(reverse(f"admin:{page}")).content.decode()), page
    page = client.get(reverse("admin:campaigns_campaign_change", args=[campaign.pk])).content.decode()
    assert f"{SUSPENDED} Nothing is bought meanwhile" in unescape(page)
    assert "holdfast_campaigns_halted 1.0" in client.get("/metrics").content.decode()
    assert console_snapshot.read().sentence.text.startswith("Running, but 1 of 1 campaign waits for its target")
    for verb in (["campaign", "status", str(campaign.pk)], ["campaign", "status"], ["queue", "status"]):
        out = io.StringIO()
        call_command(*verb, stdout=out)
        assert (SUSPENDED in out.getvalue()) or "waiting for their target: 1" in out.getvalue(), verb


def test_one_that_has_ended_waits_for_nothing() -> None:
    campaign = make_campaign("CANCELLED", instantly_campaign_id=TARGET, target_halt=SUSPENDED)
    assert campaign.waits_for_target == ""
    assert targets.halted().count() == 0


@pytest.mark.parametrize("door", ["command", "api", "console"])
def test_an_operator_has_the_target_asked_at_once_through_any_door(sandbox: Sandbox, client: Client, door: str) -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET, target_halt=PAUSED_THERE, target_checked_at=timezone.now())
    assert Asker().ask_due(now) == 0
    client.force_login(make_user("olga", "operator"))
    if door == "command":
        call_command("campaign", "check-target", str(campaign.pk), "--actor", "ann", stdout=io.StringIO())
    elif door == "api":
        answer = client.post(f"/api/v1/campaigns/{campaign.pk}/check-target", {}, content_type="application/json")
        assert answer.json()["data"]["action"] == "check_target"
    else:
        client.post(reverse("admin:campaigns_campaign_verb", args=[campaign.pk, "check_target"]), {"confirm": "1"})
    assert Asker().ask_due(now) == 1
    assert halt(campaign.pk) == ""
    assert Event.objects.filter(verb="target_check_asked").count() == 1


@pytest.mark.parametrize(("status", "target"), [("CANCELLED", TARGET), ("COMPLETED", TARGET), ("RUNNING", "")])
def test_there_is_nothing_to_ask_of_one_that_has_ended_or_has_no_target(status: str, target: str) -> None:
    campaign = make_campaign(status, instantly_campaign_id=target)
    with pytest.raises(moves.MoveRefused):
        targets.check(campaign.pk, actor=ANN)
    assert not Event.objects.filter(verb="target_check_asked").exists()


def test_a_target_that_is_edited_in_the_console_is_not_halted_for_the_former_ones_sake(client: Client) -> None:
    campaign = make_campaign("CREATED", instantly_campaign_id=TARGET, target_halt=PAUSED_THERE)
    client.force_login(make_user("olga", "operator"))
    form = {"name": "x", "max_leads": 5, "instantly_campaign_id": OTHER, "search_url": "", "research_prompt": ""}
    client.post(
        reverse("admin:campaigns_campaign_change", args=[campaign.pk]), {**form, "mail_prompt": "", "review": "off"}
    )
    campaign.refresh_from_db()
    assert (campaign.instantly_campaign_id, campaign.target_halt) == (OTHER, "")
