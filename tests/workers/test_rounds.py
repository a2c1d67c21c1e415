"""Steps that take too long: cut off, named, and no hold-up for the others, whatever the planner knows of the rows."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from bench.seed import SEED_JOBS, SEED_LEADS
from campaigns import feed
from campaigns.models import SILENCE, Campaign, Job, JobRow, Lead, Process
from console import shared_snapshot
from tests.builders import ago, make_campaign, make_fleet, make_lead, make_process
from tests.stores import leave_out
from workers import leadership, liveness, supervisor
from workers.supervisor import OVERRUN, Step, report, run_round, steps

pytestmark = pytest.mark.usefixtures("in_step")
LEADS = 15_000
MANY = ("campaigns", "leads", "job_rows", "vendor_calls", "job_tallies", "lead_tallies", "call_tallies")


def asleep(seconds: float) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])
    return 1


def test_a_statement_that_takes_too_long_is_cut_off_named_and_holds_up_nobody(
    caplog: pytest.LogCaptureFixture, transactional_db: None
) -> None:
    done: list[str] = []
    todo = [
        Step("sleeps", lambda: asleep(60), limit=0.1),
        Step("works", lambda: len(done.append("works") or "1")),
    ]
    assert run_round(todo, now=0) == 1
    assert "Step 'sleeps' was cut off after 0." in caplog.text
    assert report(todo)["sleeps"]["overrun"]["cut_off"] is True
    assert (report(todo)["sleeps"]["overruns"], report(todo)["works"]["overruns"]) == (1, 0)


def test_no_limit_is_left_behind_for_what_is_no_step(db: None) -> None:
    run_round([Step("works", lambda: 1, limit=0.1)], now=0)
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_a_step_that_overran_rests_and_longer_each_time_that_it_is_cut_off() -> None:
    step = Step("slow", lambda: 0)
    step.took(OVERRUN + 1, cut_off=False)
    rests = [step.rest]
    for _ in range(12):
        step.took(2, cut_off=True)
        rests.append(step.rest)
    assert rests == sorted(rests)
    assert rests[0] == 10 * (OVERRUN + 1)
    assert rests[-1] == supervisor.LONGEST_REST
    assert not step.due(step.last + rests[-1] - 1)
    assert step.due(step.last + rests[-1])
    step.took(0.01, cut_off=False)
    assert step.rest == 0


def test_an_urgent_step_never_rests() -> None:
    step = Step("urgent", lambda: 0, urgent=True)
    step.took(60, cut_off=True)
    assert step.rest == 0
    assert [step.name for step in steps() if step.urgent] == [
        "compare the stores",
        "begin planned pauses",
        "pause what still runs",
        "end cancelled campaigns",
        "step the ramps",
        "reclaim dead leases",
        "apply outcomes",
        "dispatch",
    ]


def test_every_step_has_a_limit_below_the_silence_that_costs_leadership() -> None:
    assert all(0 < step.limit < SILENCE for step in steps())


def test_a_round_ends_where_leadership_is_lost() -> None:
    done: list[str] = []
    todo = [Step(name, lambda name=name: len(done.append(name) or "1")) for name in "abc"]  # type: ignore[misc]
    assert run_round(todo, 0, lambda: done != ["a"]) == 1
    assert done == ["a"]


@pytest.mark.django_db(transaction=True)
def test_a_long_round_signs_and_keeps_its_leadership_between_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "INTERVAL", 0.0)
    monkeypatch.setattr(leadership, "SESSION_TIMEOUTS", "-c idle_session_timeout=500ms")
    todo = [Step(f"sleep {number}", lambda: asleep(0.3)) for number in range(4)]
    watch = supervisor.Watch(todo)
    assert watch.leads()
    try:
        assert run_round(todo, 0, watch.still_leads) == 4
        assert watch.leads()
        assert Process.objects.get(role="supervisor").steps["sleep 3"]["seconds"] >= 0.3
    finally:
        watch.leadership.give_up()


# --- statistics -------------------------------------------------------------------------------------------------------


def fill(*statements: str) -> None:
    """So many leads of one campaign and their jobs, of which the planner learns nothing."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, [LEADS] if "%s" in statement else None)


@pytest.fixture
def unknown_rows(db: None) -> None:
    """The tables were last analysed when nothing was in them. What this transaction adds no autovacuum sees."""
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {', '.join(MANY)}")
    make_fleet()
    make_campaign()


@pytest.fixture
def mistaken_rows(db: None) -> None:
    """The planner takes it that all jobs have ended, and that their leads are long gone."""
    make_fleet()
    make_campaign()
    ended = SEED_JOBS.replace("'PENDING'", "'COMPLETED'").replace(
        "run_at, created_at)", "run_at, created_at, completed_at)"
    )
    fill(SEED_LEADS, ended.replace("now(), now() FROM", "now(), now(), now() FROM"))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE leads SET state = 'PUSHED', ended_at = now()")
        cursor.execute(f"ANALYZE {', '.join(MANY)}")
        cursor.execute("DELETE FROM job_rows")
        cursor.execute("DELETE FROM leads")


def nodes(plan: dict[str, Any]) -> Iterator[tuple[float, str]]:
    """(rows that it looked at, what) of each node of a plan."""
    loops = plan.get("Actual Loops", 1)
    looked_at = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Join Filter", 0)
    yield looked_at * loops, f"{plan['Node Type']} {plan.get('Relation Name', '')} {plan.get('Index Name', '')}"
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.parametrize("statistics", ["unknown_rows", "mistaken_rows"])
def test_mending_looks_at_a_slice_of_the_leads_whatever_the_planner_knows(
    statistics: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(statistics)
    fill(SEED_LEADS, SEED_JOBS)
    first = Lead.objects.order_by("pk").values_list("pk", flat=True)[0]
    values: Any = {"after": first + LEADS // 2, "rows": feed.SLICE, "unfinished": list(JobRow.UNFINISHED)}
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {feed.STUCK}", values)
        (answer,) = cursor.fetchone()
    plans = json.loads(answer) if isinstance(answer, str) else answer
    wasteful = [(rows, what) for rows, what in nodes(plans[0]["Plan"]) if rows > 2 * feed.SLICE]
    assert wasteful == []


@pytest.mark.parametrize("statistics", ["unknown_rows", "mistaken_rows"])
def test_no_step_is_cut_off_after_a_large_import_whatever_the_planner_knows(
    statistics: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(statistics)
    fill(SEED_LEADS.replace("'verify'", "''"))  # not fed yet
    todo = steps(leave_out)
    for number in range(LEADS // feed.BATCH + 2):
        run_round(todo, now=100.0 * number)
    assert JobRow.objects.count() == LEADS
    assert JobRow.objects.filter(sent_at=None).count() < LEADS
    moves = (("PAUSED", "2026-01-01T00:00Z"), ("RUNNING", None), ("CANCELLED", None))
    for later, (status, paused_at) in enumerate(moves, 1):
        ended = "2026-01-01T00:00Z" if status == "CANCELLED" else None
        Campaign.objects.update(status=status, system_paused_at=paused_at, finished_at=ended)
        for number in range(4):
            run_round(todo, now=later * 10_000 + 100.0 * number)
        moved = {"PAUSED": "PAUSED", "RUNNING": "PENDING", "CANCELLED": "CANCELLED"}[status]
        assert Job.objects.filter(status=moved).count() == LEADS
    assert not Lead.objects.filter(state="OPEN").exists()
    assert {name: step for name, step in report(todo).items() if step["overrun"].get("cut_off")} == {}


def test_a_walk_that_is_out_of_time_goes_on_where_it_was_and_comes_around(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make_campaign()
    leads = [make_lead(campaign, stage="verify") for _ in range(5)]
    monkeypatch.setattr(feed, "MEND_SECONDS", 0.0)
    assert feed.mend_leads() == 0  # no time at all
    clock = iter(range(100))
    monkeypatch.setattr("campaigns.feed.time.monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(feed, "MEND_SECONDS", 2.0)
    mended = [feed.mend_leads(2) for _ in range(10)]
    assert sum(mended) == 5
    assert max(mended) < 5
    assert set(JobRow.objects.values_list("lead_id", flat=True)) == {lead.pk for lead in leads}


# --- where an overrun is seen -----------------------------------------------------------------------------------------


def overrun(seconds_ago: float = 60, *, cut_off: bool = False) -> dict[str, Any]:
    at = ago(seconds_ago).isoformat()
    return {
        "mend leads": {"seconds": 0.2, "overruns": 3, "overrun": {"at": at, "seconds": 12.3, "cut_off": cut_off}},
        "dispatch": {"seconds": 0.004, "overruns": 0, "overrun": {}},
    }


@pytest.mark.parametrize(
    ("cut_off", "words"), [(False, "'mend leads' took 12 s ("), (True, "'mend leads' was cut off after 12 s (")]
)
def test_an_overrun_is_shown_in_the_console_and_in_health(cut_off: bool, words: str, admin_client: Client) -> None:
    make_process("worker")
    make_process("supervisor", leading=True, steps=overrun(cut_off=cut_off))
    shared_snapshot.forget()
    page = admin_client.get("/admin/").content.decode().replace("&#x27;", "'")
    assert f"The supervisor's step {words}" in page
    missing = admin_client.get("/health/ready").json()["data"]["missing"]
    assert [f"The supervisor's step {words}" in one for one in missing] == [True]


def test_an_overrun_of_long_ago_is_not_shown(admin_client: Client) -> None:
    make_process("worker")
    make_process("supervisor", leading=True, steps=overrun(seconds_ago=3600))
    shared_snapshot.forget()
    assert b"took 12 s" not in admin_client.get("/admin/").content
    assert admin_client.get("/health/ready").json()["data"]["missing"] == []


def test_metrics_say_how_long_each_step_took_and_how_often_one_overran(admin_client: Client) -> None:
    make_process("supervisor", steps=overrun())
    make_process("supervisor", leading=True, steps=overrun())
    text = admin_client.get("/metrics").content.decode()
    assert 'holdfast_supervisor_step_seconds{step="mend leads"} 0.2' in text
    assert 'holdfast_supervisor_step_overruns{step="mend leads"} 3.0' in text
    assert 'holdfast_supervisor_step_overruns{step="dispatch"} 0.0' in text


def test_a_steps_column_that_somebody_filled_with_anything_breaks_no_page(admin_client: Client) -> None:
    make_process("worker")
    make_process(
        "supervisor", leading=True, steps={"a": 1, "b": {"overrun": {"at": "yesterday"}}, "c": {"seconds": "x"}}
    )
    shared_snapshot.forget()
    assert admin_client.get("/admin/").status_code == 200
    assert admin_client.get("/metrics").status_code == 200
    assert admin_client.get("/health/ready").status_code == 200
