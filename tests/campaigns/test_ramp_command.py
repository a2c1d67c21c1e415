"""`queue ramp`, `queue try-one` and the options of `queue resume` in the shell."""

from typing import Any

import pytest

from circuitbreakers import switch
from circuitbreakers.models import Event, Ramp
from circuitbreakers.services import SERVICES
from tests.breakers import admit, redis_cli, reset, trip
from tests.builders import make_campaign, make_fleet, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]


def after_a_reset() -> None:
    make_job(make_campaign())
    make_fleet()
    trip()
    reset()


def canaries() -> set[str]:
    return {name for name, gate in switch.read_all().gates.items() if gate.stage.canary}


def test_a_resume_prints_who_is_at_the_canary_and_what_moves_it_on(manage: Any) -> None:
    after_a_reset()
    said = manage("queue", "resume", "--reason", "it is well").out
    assert "apollo: canary: 0 of 5 calls have ended, 0 failed (one may); then 10 %" in said


def test_a_resume_may_begin_with_a_canary_everywhere_or_nowhere(manage: Any) -> None:
    after_a_reset()
    assert manage("queue", "resume", "--canary", "all").status == 0
    assert canaries() == set(SERVICES)
    refused = manage("queue", "resume", "--all-at-once")
    assert (refused.status, "needs a reason" in refused.err) == (1, True)
    assert manage("queue", "resume", "--all-at-once", "--reason", "they said so").status == 0
    assert canaries() == set()


def test_ramp_shows_where_services_are_and_what_they_have_spent(manage: Any) -> None:
    after_a_reset()
    assert manage("queue", "ramp").out == "Every service is at full speed, or paused.\n"
    manage("queue", "resume")
    where = "canary: 0 of 5 calls have ended, 0 failed (one may); then 10 %"
    line = f"apollo is on its way back: {where}; 0 calls, $0.00 so far"
    assert manage("queue", "ramp").out == f"{line}\n"
    assert line in manage("queue", "status").out
    data = manage("queue", "ramp", "--json").data
    assert data["ramps"]["apollo"]["stage"] == 0
    assert data["stopped_resumes"] == []


def test_ramp_moves_one_on_record(manage: Any) -> None:
    after_a_reset()
    manage("queue", "resume")
    for move, reason, said in (
        ("hold", "let us see", "The ramp of apollo is held at its step."),
        ("go-on", "", "The ramp of apollo goes on."),
        ("all-at-once", "they said so", "apollo is at full speed."),
    ):
        assert manage("queue", "ramp", move, "apollo", "--reason", reason, "--actor", "bea").out == f"{said}\n"
    assert Ramp.objects.get().ended_how == "skipped"
    verbs = Event.objects.filter(actor="bea").order_by("id").values_list("verb", "reason")
    assert list(verbs) == [
        ("ramp_held", "let us see"),
        ("ramp_went_on", ""),
        ("ramp_skipped", "they said so"),
        ("resume_done", "Every service is at full speed again"),
    ]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("hold", "apollo"), 1),
        (("all-at-once", "apollo"), 1),
        (("back", "apollo"), 1),
        (("back", "openai"), 1),
        (("hold",), 2),
        (("hold", "nobody", "--reason", "x"), 2),
        (("fly", "apollo"), 2),
    ],
)
def test_what_cannot_be_is_refused(manage: Any, arguments: tuple[str, ...], status: int) -> None:
    after_a_reset()
    manage("queue", "resume")
    assert manage("queue", "ramp", *arguments).status == status


def test_a_stopped_resume_is_told(manage: Any) -> None:
    after_a_reset()
    manage("queue", "resume")
    admit().settle("auth")
    told = "apollo: resume stopped at the canary after 1 call, $0.00"
    assert told in manage("queue", "ramp").out
    assert told in manage("queue", "status").out


def test_try_one_lets_one_job_through(manage: Any) -> None:
    make_job(make_campaign(), kind="find")
    trip()
    assert manage("queue", "try-one", "apollo", "--reason", "a probe proves no credit").status == 1
    reset()
    assert "is let through" in manage("queue", "try-one", "apollo", "--reason", "a probe proves no credit").out
    assert redis_cli().hget("circuit_gate:apollo", "try_call")
    assert manage("queue", "try-one", "apollo").status == 1
