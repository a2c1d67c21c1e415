"""The queue resume begins ramps, says where they are, and says what a stopped one has cost."""

from decimal import Decimal
from typing import Any

import pytest

from campaigns import ramp_report, recovery
from campaigns.models import Campaign
from campaigns.recovery import Resumed, ResumeRefused
from circuitbreakers import switch
from circuitbreakers.models import Event, Incident, Ramp
from circuitbreakers.services import SERVICES
from circuitbreakers.states import Stage, from_us
from tests.breakers import ANN, admit, queue, reset, trip
from tests.builders import make_call, make_campaign, make_fleet, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]


def after_a_reset(service: str = "apollo") -> Campaign:
    """A campaign with a paused job, after trip, cascade and reset, ready to be resumed."""
    campaign = make_campaign()
    make_job(campaign)
    make_fleet()
    trip(service)
    reset(service)
    return campaign


def resume(**how: Any) -> Resumed:
    return recovery.resume(actor=ANN, reason="it is well", **how)


def canaries() -> set[str]:
    return {name for name, gate in switch.read_all().gates.items() if gate.stage.canary}


def test_the_queue_is_active_and_the_campaigns_run_only_the_gate_is_slower() -> None:
    campaign = after_a_reset()
    result = resume()
    campaign.refresh_from_db()
    assert (campaign.status, set(queue().values()), canaries()) == ("RUNNING", {"ACTIVE"}, {"apollo"})
    assert result.as_dict()["stages"] == {"apollo": "canary: 0 of 5 calls have ended, 0 failed (one may); then 10 %"}
    assert Event.objects.filter(verb="ramp_began", incident=Incident.objects.get()).get().reason == "it is well"


def test_a_resume_without_ramps_answers_as_ever() -> None:
    after_a_reset()
    assert "stages" not in resume(all_at_once=True).as_dict()
    assert not canaries()
    assert not Ramp.objects.exists()


def test_all_at_once_needs_a_reason() -> None:
    after_a_reset()
    with pytest.raises(ResumeRefused, match="needs a reason"):
        recovery.resume(actor=ANN, all_at_once=True)


def test_a_repeated_resume_leaves_ramps_where_they_are() -> None:
    after_a_reset()
    resume()
    admit().settle("success")
    again = resume()
    assert switch.read_all().gates["apollo"].stage.calls == 1
    assert again.as_dict()["stages"]["apollo"].startswith("canary: 1 of 5")


def test_a_repeated_resume_may_end_them() -> None:
    after_a_reset()
    resume()
    resume(all_at_once=True)
    assert not canaries()
    assert Ramp.objects.get().ended_how == "skipped"


def test_a_canary_for_all_is_for_the_healthy_ones_too() -> None:
    after_a_reset()
    resume(canary_for_all=True)
    assert canaries() == set(SERVICES)


def test_a_refused_resume_begins_nothing() -> None:
    after_a_reset()
    trip("openai")
    with pytest.raises(ResumeRefused):
        resume()
    assert not canaries()
    assert not Ramp.objects.exists()


def test_a_stopped_resume_says_where_after_how_many_calls_and_for_how_much() -> None:
    campaign = after_a_reset()
    resume()
    job = make_job(campaign)
    for number, outcome in enumerate(["success", "success", "timeout", "timeout"]):
        permit = admit()
        job.fence, job.service = number + 1, "apollo"
        make_call(job, outcome, admitted_at=permit.admitted_at, cost_usd=Decimal("0.036") if number < 2 else 0)
        permit.settle(outcome)
    campaign.refresh_from_db()
    assert campaign.status == "PAUSED"
    said = "resume stopped at the canary after 4 calls, $0.07"
    event = Event.objects.get(verb="stopped_at_canary")
    assert (event.reason, event.incident) == (said, Incident.objects.get())
    assert event.after == {"stage": 0, "calls": 4, "usd": "0.072000"}
    assert ramp_report.stopped() == [f"apollo: {said}"]
    reset()
    resume()
    assert ramp_report.stopped() == []


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (Stage(0, from_us(0), 3, 1, 5), "canary: 3 of 5 calls have ended, 1 failed (one may); then 10 %"),
        (
            Stage(10, from_us(0), 12, 1),
            "10 %: 12 of 20 calls, 34 of 60 s, 1 failed (less than a tenth may); then 25 %",
        ),
        (
            Stage(50, from_us(-99_000_000), 90, 0),
            "50 %: 20 of 20 calls, 60 of 60 s, 0 failed (less than a tenth may); then full speed",
        ),
    ],
)
def test_a_sentence_says_what_moves_it_on(stage: Stage, said: str) -> None:
    assert ramp_report.sentence(stage, from_us(34_000_000)) == said


def test_a_sentence_says_who_holds_it() -> None:
    assert ramp_report.sentence(Stage(0, from_us(0), 3, 1, 5), from_us(0), held_by="ann").endswith(
        "; held there by ann"
    )
