"""A budget holds at the gate: what is beyond it waits, and nothing is lost, charged twice or forgotten."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from campaigns import jobs
from campaigns.models import Campaign, JobRow, VendorCall
from circuitbreakers import budget_counters, budget_halts, budget_verbs, budgets, gate, rebuild, switch
from circuitbreakers.budget import MICRO
from circuitbreakers.models import Budget, Event
from integrations.sandbox import Sandbox
from tests.builders import ago, make_call, make_campaign, make_job
from tests.stores import break_vendor, calls_of
from tests.workers.chain import ANN, TARGET, job_of, patience
from tests.workers.test_costs import redis_scripts
from workers import dispatch
from workers.attempt import charge_of
from workers.kinds import call_for, most_usd
from workers.run import run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("sandbox")]


def make_budget(scope: str, period: str = "day", **limits: Any) -> Budget:
    """A budget that all processes know by now."""
    row, _ = budget_verbs.set_budget(scope, period, actor=ANN, reason="a test", **limits)
    Budget.objects.filter(pk=row.pk).update(created_at=ago(10))
    budgets.forget()
    return row


def used(row: Budget) -> tuple[int, int] | None:
    """What it has counted: calls, micro-USD."""
    return budget_counters.read().used(row.known)


def halts() -> list[str]:
    return [row.halt for row in Budget.objects.exclude(halt="")]


def empty_redis() -> None:
    """Redis starts anew with nothing in it, and is compared with PostgreSQL."""
    switch.client().flushall()
    rebuild.compare()


def test_the_call_beyond_the_limit_waits_unspent_and_its_campaign_says_why(sandbox: Sandbox) -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    make_budget(f"campaign:{campaign.pk}", "total", calls=2)
    happened = [run(job.pk, job.service) for job in [job_of("millionverifier", campaign) for _ in range(2)]]
    waiting = job_of("millionverifier", campaign)
    happened.append(run(waiting.pk, waiting.service))
    assert happened == ["completed", "completed", "refused: budget"]
    assert len(calls_of(sandbox)) == 2
    waiting.refresh_from_db()
    assert (waiting.status, waiting.attempts, waiting.crashes, waiting.error) == ("PENDING", 0, 0, None)
    campaign.refresh_from_db()
    assert campaign.waits_for_budget == "held: this campaign's budget of 2 calls is used up"
    assert run(waiting.pk, waiting.service) == "nothing"


def test_other_campaigns_go_on() -> None:
    held, other = make_campaign(instantly_campaign_id=TARGET), make_campaign(instantly_campaign_id=TARGET)
    make_budget(f"campaign:{held.pk}", "total", calls=1)
    for campaign in (held, held, other, other):
        job = job_of("millionverifier", campaign)
        run(job.pk, job.service)
    waiting = JobRow.objects.filter(status="PENDING", service="millionverifier")
    assert [job.campaign_id for job in waiting] == [held.pk]
    JobRow.objects.exclude(service="millionverifier").delete()
    assert dispatch.dispatch() == 0


@pytest.mark.parametrize("scope", ["service:millionverifier", "system"])
def test_a_services_or_the_systems_budget_holds_the_services_it_is_for(scope: str) -> None:
    make_budget(scope, calls=1)
    for _ in range(2):
        job = job_of("millionverifier")
        run(job.pk, job.service)
    rooms = dispatch.rooms(switch.read_all())
    assert ("millionverifier" in rooms, "openai" in rooms) == (False, scope != "system")
    whose = "the system's" if scope == "system" else "millionverifier's"
    assert halts() == [f"held: {whose} budget of 1 calls a day is used up"]


def test_what_a_call_did_not_cost_comes_back_when_it_has_ended() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    budget = make_budget(f"campaign:{campaign.pk}", "total", usd=50)
    job = job_of("openai", campaign)
    most = most_usd(job)
    assert run(job.pk, job.service) == "completed"
    cost = VendorCall.objects.get().cost_usd
    assert most is not None
    assert 0 < cost < most
    assert used(budget) == (1, int(cost * MICRO))


@pytest.mark.parametrize(("fault", "keeps"), [("http_500", False), ("connection_refused", False), ("timeout", True)])
def test_a_failure_keeps_what_it_may_have_cost_and_stays_a_call(
    sandbox: Sandbox, settings: Any, fault: str, keeps: bool
) -> None:
    patience(settings, "openai", 0.3)
    campaign = make_campaign(instantly_campaign_id=TARGET)
    budget = make_budget(f"campaign:{campaign.pk}", "total", usd=50)
    break_vendor(sandbox, "openai", fault)
    job = job_of("openai", campaign)
    run(job.pk, job.service)
    entry = VendorCall.objects.get()
    assert used(budget) == (1, int((entry.cost_usd + entry.may_cost_usd) * MICRO))
    assert (entry.may_cost_usd > 0) == keeps


def test_a_call_that_was_not_sent_is_none() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    budget = make_budget(f"campaign:{campaign.pk}", "total", usd=50)
    job = jobs.claim(job_of("openai", campaign).pk, "openai", "host:1")
    assert job is not None
    permit = gate.admit(job.service, job.call, charge=charge_of(job, call_for(job)))  # type: ignore[arg-type]
    assert used(budget) == (1, permit.charge.most)
    permit.settle("unknown", sent=False)
    assert used(budget) == (0, 0)


def test_a_call_of_unknown_end_keeps_the_most_that_it_can_have_cost() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    budget = make_budget(f"campaign:{campaign.pk}", "total", usd=50)
    job = jobs.claim(job_of("openai", campaign).pk, "openai", "host:1")
    assert job is not None
    with gate.admitted(job.service, job.call, charge=charge_of(job, call_for(job))) as permit:  # type: ignore[arg-type]
        pass
    assert used(budget) == (1, permit.charge.most)


def test_what_a_call_in_flight_may_yet_cost_has_no_room_for_another_and_comes_back() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    budget = make_budget(f"campaign:{campaign.pk}", "total", usd="0.04")
    claimed = jobs.claim(job_of("openai", campaign).pk, "openai", "host:1")
    assert claimed is not None
    charge = charge_of(claimed, call_for(claimed))  # type: ignore[arg-type]
    permit = gate.admit(claimed.service, claimed.call, charge=charge)
    assert 40_000 < 2 * permit.charge.most < 80_000
    job = job_of("openai", campaign)
    assert run(job.pk, job.service) == "refused: budget"
    assert budget_halts.watch() == 0
    permit.settle("success", cost_usd=Decimal(0))
    jobs.hand_back(claimed)
    assert budget_halts.watch() == 1
    assert used(budget) == (1, 0)
    assert run(job.pk, job.service) == "completed"


def test_counters_lost_with_redis_are_made_anew_from_the_books() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    budget = make_budget(f"campaign:{campaign.pk}", "total", calls=3, usd=50)
    for _ in range(2):
        job = job_of("openai", campaign)
        run(job.pk, job.service)
    before = used(budget)
    empty_redis()
    assert used(budget) is None
    for expected in ("completed", "refused: budget"):
        job = job_of("openai", campaign)
        assert run(job.pk, job.service) == expected
    assert before is not None
    assert before[0] == 2
    spent = sum(call.cost_usd for call in VendorCall.objects.all())
    assert used(budget) == (3, int(spent * MICRO))


def test_a_claim_of_unknown_fate_counts_at_its_most_until_the_ledger_knows() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    budget = make_budget(f"campaign:{campaign.pk}", "total", calls=5, usd=50)
    called, refused = (make_job(lead=job_of("openai", campaign).lead, kind="push", status="PROCESSING") for _ in "12")
    empty_redis()
    job = job_of("openai", campaign)
    assert run(job.pk, job.service) == "completed"
    assert used(budget)[0] == 3  # type: ignore[index]
    make_call(called, cost_usd=Decimal("0.5"))
    JobRow.objects.filter(pk__in=[called.pk, refused.pk]).update(status="PENDING", lease_until=None)
    assert budget_halts.watch() == 2
    cost = VendorCall.objects.get(job=job).cost_usd
    assert used(budget) == (2, int((cost + Decimal("0.5")) * MICRO))


def test_a_claim_that_asks_after_it_was_counted_counts_once() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    budget = make_budget(f"campaign:{campaign.pk}", "total", calls=2)
    claimed = jobs.claim(job_of("openai", campaign).pk, "openai", "host:1")
    assert claimed is not None
    other = job_of("openai", campaign)
    assert run(other.pk, other.service) == "completed"
    assert used(budget)[0] == 2  # type: ignore[index]
    charge = charge_of(claimed, call_for(claimed))  # type: ignore[arg-type]
    gate.admit(claimed.service, claimed.call, charge=charge).settle("success", cost_usd=Decimal(0))
    assert used(budget)[0] == 2  # type: ignore[index]
    assert budget_counters.read().claims() == []


def test_a_budget_that_is_new_counts_nothing_before_all_processes_know_it() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    budget_verbs.set_budget(f"campaign:{campaign.pk}", "total", calls=2, actor=ANN, reason="a test")
    job = job_of("millionverifier", campaign)
    assert run(job.pk, job.service) == "refused: unbudgeted"
    job.refresh_from_db()
    assert job.status == "PENDING"
    assert job.run_at > timezone.now() + timedelta(seconds=2)
    assert halts() == []


def test_work_goes_on_when_the_limit_is_raised() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    make_budget(f"campaign:{campaign.pk}", "total", calls=1)
    for _ in range(2):
        job = job_of("millionverifier", campaign)
        run(job.pk, job.service)
    assert Campaign.objects.get(pk=campaign.pk).budget_halt
    assert budget_halts.watch() == 0
    make_budget(f"campaign:{campaign.pk}", "total", calls=2)
    assert Campaign.objects.get(pk=campaign.pk).budget_halt == ""
    assert run(job.pk, job.service) == "completed"


def test_work_goes_on_when_the_day_has_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    make_budget(f"campaign:{campaign.pk}", "day", calls=1)
    for _ in range(2):
        job = job_of("millionverifier", campaign)
        run(job.pk, job.service)
    counters = budget_counters.read()
    later = budget_counters.Counters(counters.at + timedelta(days=1), counters.fields)
    monkeypatch.setattr(budget_counters, "read", lambda: later)
    assert budget_halts.watch() == 1
    assert Campaign.objects.get(pk=campaign.pk).budget_halt == ""


def test_a_refusal_by_a_limit_that_was_changed_since_halts_nothing() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    old = make_budget(f"campaign:{campaign.pk}", "total", calls=1).known
    make_budget(f"campaign:{campaign.pk}", "total", calls=9)
    assert not budget_halts.hold(old, at=datetime.now(UTC), needs=0)
    assert halts() == []


def test_eighty_and_a_hundred_per_cent_are_told_once() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    make_budget(f"campaign:{campaign.pk}", "total", calls=5)
    for _ in range(7):
        job = job_of("millionverifier", campaign)
        run(job.pk, job.service)
        budget_halts.watch()
    told = Event.objects.filter(subject_type="budget").exclude(verb="set").order_by("id")
    assert [event.verb for event in told] == ["nears_limit", "used_up"]


def test_redis_is_asked_no_more_often_with_budgets() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    for scope, period in (("system", "day"), ("system", "month"), ("service:openai", "day")):
        make_budget(scope, period, usd=1000, calls=1000)
    for period in ("day", "total"):
        make_budget(f"campaign:{campaign.pk}", period, usd=1000, calls=1000)
    first, second = job_of("openai", campaign), job_of("openai", campaign)
    assert run(first.pk, "openai") == "completed"
    before = redis_scripts()
    assert run(second.pk, "openai") == "completed"
    assert redis_scripts() - before == 2  # admit, record
    assert all(used(row) == used(Budget.objects.first()) for row in Budget.objects.all())  # type: ignore[arg-type]


# --- to the micro-dollar ----------------------------------------------------------------------------------------------


def charged(campaign: Campaign, most: int) -> budgets.Charge:
    """A call of the campaign that may cost so many micro-USD."""
    return budgets.Charge(budgets.applying("openai", campaign.pk), most)


def test_a_limit_may_be_used_up_to_the_last_call_and_the_last_micro_dollar() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    budget = make_budget(f"campaign:{campaign.pk}", "total", calls=2, usd="0.01")
    gate.admit("openai", "1:1", charge=charged(campaign, 4_000))
    gate.admit("openai", "1:2", charge=charged(campaign, 6_000))
    assert used(budget) == (2, 10_000)
    with pytest.raises(gate.NoRoom):
        gate.admit("openai", "1:3", charge=charged(campaign, 0))


def test_one_micro_dollar_beyond_the_limit_is_refused() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    budget = make_budget(f"campaign:{campaign.pk}", "total", usd="0.01")
    gate.admit("openai", "1:1", charge=charged(campaign, 5_000))
    with pytest.raises(gate.NoRoom):
        gate.admit("openai", "1:2", charge=charged(campaign, 5_001))
    assert used(budget) == (1, 5_000)


def test_of_several_budgets_the_one_without_room_is_named() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    rows = [
        make_budget("system", "day", calls=9),
        make_budget("service:openai", "day", calls=9),
        make_budget(f"campaign:{campaign.pk}", "total", calls=9),
    ]
    for row in rows:
        gate.admit("openai", f"{row.pk}:1", charge=charged(campaign, 0))
        make_budget(row.scope, row.period, calls=1)
        with pytest.raises(gate.NoRoom) as refused:
            gate.admit("openai", f"{row.pk}:2", charge=charged(campaign, 0))
        assert refused.value.budget.pk == row.pk
        make_budget(row.scope, row.period, calls=9)


@pytest.mark.parametrize("lost", ["calls", "usd"])
def test_a_counter_of_which_a_half_is_gone_is_made_anew(lost: str) -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    budget = make_budget(f"campaign:{campaign.pk}", "total", calls=5, usd=5)
    gate.admit("openai", "1:1", charge=charged(campaign, 4)).settle("success", cost_usd=Decimal(0))
    (name,) = [field for field in switch.client().hkeys(switch.BUDGETS) if str(field).endswith(f"|{lost}")]
    switch.client().hdel(switch.BUDGETS, name)
    gate.admit("openai", "1:2", charge=charged(campaign, 4))
    assert used(budget) == (1, 4)  # of the first, which no book has, nothing is known


def test_a_claim_that_was_counted_at_its_most_leaves_room_for_itself_alone() -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    claimed = jobs.claim(job_of("openai", campaign).pk, "openai", "host:1")
    assert claimed is not None
    charge = charge_of(claimed, call_for(claimed))  # type: ignore[arg-type]
    make_budget(f"campaign:{campaign.pk}", "total", calls=1, usd=Decimal(most_usd(claimed) or 0))
    charge = charge_of(claimed, call_for(claimed))  # type: ignore[arg-type]
    assert charge.budgets
    assert gate.admit(claimed.service, claimed.call, charge=charge).call == claimed.call
