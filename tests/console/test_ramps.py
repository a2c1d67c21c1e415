"""The way back after a queue resume, in the console: where each service is, what it has cost, and its buttons."""

from typing import Any

import pytest
from django.test import Client

from circuitbreakers import switch
from circuitbreakers.models import Event, Ramp
from tests.breakers import admit, redis_cli, reset, trip
from tests.builders import make_campaign, make_fleet, make_job
from tests.console.conftest import text_of

PAGE = "/admin/recovery/"


def reset_after_a_trip() -> None:
    make_fleet()
    make_job(make_campaign(), kind="find")
    trip()
    reset()


def resume(client: Client, **form: Any) -> str:
    return text_of(client.post(f"{PAGE}resume/", {"reason": "it is well", "confirmed": "1", **form}, follow=True))


def act(client: Client, verb: str, **form: Any) -> Any:
    return client.post(f"{PAGE}{verb}/apollo/", form, follow=True)


def test_page_and_card_say_where_it_is_and_what_moves_it_on(operator: Client) -> None:
    reset_after_a_trip()
    where = "canary: 0 of 5 calls have ended, 0 failed (one may); then 10 %"
    assert f"Apollo comes back step by step: {where}." in resume(operator)
    assert f"{where}; 0 calls, $0.00 since the resume." in text_of(operator.get(PAGE))
    assert where in text_of(operator.get("/admin/"))


def test_the_buttons_move_it_on_record(operator: Client) -> None:
    reset_after_a_trip()
    resume(operator)
    assert "A reason is needed" in text_of(act(operator, "ramp-hold"))
    assert "Apollo is held at its step." in text_of(act(operator, "ramp-hold", reason="let us see"))
    assert "held there by" in text_of(operator.get(PAGE))
    assert "Apollo goes on with its steps." in text_of(act(operator, "ramp-go-on"))
    assert "Refused: apollo is at the canary already" in text_of(act(operator, "ramp-back"))
    assert "Apollo is at full speed." in text_of(act(operator, "ramp-all-at-once", reason="they said so"))
    assert Ramp.objects.get().ended_how == "skipped"
    assert set(Event.objects.filter(verb__startswith="ramp_").exclude(verb="ramp_began").values_list("door")) == {
        ("admin",)
    }


def test_a_resume_may_be_all_at_once(operator: Client) -> None:
    reset_after_a_trip()
    assert "Apollo comes back" not in resume(operator, all_at_once="1")
    assert switch.read_all().gates["apollo"].stage.full


def test_a_resume_may_begin_with_canaries_for_all(operator: Client) -> None:
    reset_after_a_trip()
    assert "OpenAI comes back step by step" in resume(operator, canary="all")


def test_the_page_says_where_a_resume_was_stopped(operator: Client) -> None:
    reset_after_a_trip()
    resume(operator)
    admit().settle("auth")
    assert "The resume stopped at the canary after 1 call, $0.00." in text_of(operator.get(PAGE))


def test_one_job_is_tried_while_the_system_is_paused(operator: Client) -> None:
    reset_after_a_trip()
    assert "is let through" in text_of(act(operator, "try-one", reason="a probe proves no credit"))
    assert redis_cli().hget("circuit_gate:apollo", "try_call")
    assert "one job is being tried" in text_of(operator.get(PAGE))


@pytest.mark.parametrize("verb", ["ramp-hold", "ramp-go-on", "ramp-back", "ramp-all-at-once", "try-one"])
def test_a_viewer_is_refused_every_verb(viewer: Client, verb: str) -> None:
    assert act(viewer, verb, reason="let me").status_code == 403
