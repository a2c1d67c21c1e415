"""The four steps of a recovery: whose turn it is."""

from django.test import Client

from campaigns.recovery import resume
from console import plan, snapshot
from console.steps import steps
from tests.breakers import ANN, reset, trip
from tests.builders import make_campaign, make_fleet, make_job
from tests.console.conftest import text_of


def told() -> list[str]:
    return [f"{step.tone}: {step.text}" for step in steps(snapshot.read(), plan.make())]


def test_the_operators_turn_moves_from_step_to_step() -> None:
    make_fleet()
    make_job(make_campaign())
    quiet = ["done: Nothing is broken", "done: All are closed", "done: Ready", "done: Nothing waits for a resume"]
    assert told() == quiet
    trip()
    assert told() == [
        "bad: 1 opening to look at", "busy: Your turn: Apollo", "idle: Waits for step 2", "idle: Waits for step 3",
    ]  # fmt: skip
    reset()
    assert told() == ["done: Nothing is broken", "done: All are closed", "done: Ready", "busy: Your turn"]
    resume(actor=ANN)
    assert told() == quiet


def test_a_missing_worker_is_named_in_the_plan() -> None:
    make_campaign()
    trip()
    reset()
    assert told()[2:] == ["warn: 2 things missing", "idle: Waits for step 3"]


def test_the_last_resume_says_what_it_brought_back(operator: Client) -> None:
    make_fleet()
    campaign = make_campaign()
    for _ in range(3):
        make_job(campaign)
    trip()
    reset()
    assert plan.make().last is None
    resume(actor=ANN)
    last = plan.make().last
    assert last is not None
    assert (last.jobs, last.campaigns, last.by) == (3, 1, "ann")
    page = text_of(operator.get("/admin/recovery/"))
    assert "brought back 1 campaign and 3 jobs" in page
