"""An order is the same wherever it is given: one sentence for an act, one length of a reason, one list of refusals."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from circuitbreakers import gate
from circuitbreakers.breaker import hold
from circuitbreakers.events import Actor
from circuitbreakers.models import Event
from circuitbreakers.probes import ProbeRunning
from circuitbreakers.storable import REASON_LENGTH
from tests.breakers import ANN
from tests.builders import make_campaign
from tests.console.conftest import text_of

HOLD = "/admin/circuitbreakers/breaker/apollo/verb/hold_breaker/"
TOO_LONG = f"A reason has at most {REASON_LENGTH} characters; this one has {REASON_LENGTH + 1}."


def on_the_recovery_page(client: Client, verb: str, **form: Any) -> str:
    return text_of(client.post(f"/admin/recovery/{verb}/apollo/", form, follow=True))


def in_the_admin(client: Client, verb: str, **form: Any) -> str:
    name = "lift_wait" if verb == "lift-wait" else f"{verb}_breaker"
    address = reverse("admin:circuitbreakers_breaker_verb", args=["apollo", name])
    return text_of(client.post(address, {"confirmed": "1", **form}, follow=True))


DOORS = [on_the_recovery_page, in_the_admin]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("verb", "sentence"),
    [
        ("hold", "The breaker of Apollo is held: everything is paused."),
        ("release", "The breaker of Apollo was not held."),
        ("reset", "The breaker of Apollo was closed already; its failure count is cleared."),
        ("lift-wait", "Apollo has not asked us to wait."),
        ("probe", "The probe of Apollo succeeded"),
    ],
)
def test_an_act_is_told_in_the_same_sentence(
    operator: Client, door: Callable[..., str], verb: str, sentence: str
) -> None:
    assert sentence in door(operator, verb, reason="a migration")


@pytest.mark.parametrize("door", DOORS)
def test_a_release_says_what_comes_next(operator: Client, door: Callable[..., str]) -> None:
    hold("apollo", actor=ANN, reason="a migration")
    assert "The breaker of Apollo is released and stays open: reset it next." in door(operator, "release")


@pytest.mark.parametrize("door", DOORS)
def test_a_reason_that_is_too_long_is_refused_and_nothing_is_done(operator: Client, door: Callable[..., str]) -> None:
    assert TOO_LONG in door(operator, "hold", reason="r" * (REASON_LENGTH + 1))
    assert not Event.objects.filter(verb="held").exists()


@pytest.mark.parametrize("door", DOORS)
def test_a_reason_of_the_full_length_is_kept_whole(operator: Client, door: Callable[..., str]) -> None:
    door(operator, "hold", reason="r" * REASON_LENGTH)
    assert Event.objects.get(verb="held").reason == "r" * REASON_LENGTH


def test_a_queue_resume_takes_no_longer_reason(operator: Client) -> None:
    answer = operator.post(
        "/admin/recovery/resume/", {"reason": "r" * (REASON_LENGTH + 1), "confirmed": "1"}, follow=True
    )
    assert TOO_LONG in text_of(answer)


@pytest.mark.parametrize("door", DOORS)
def test_a_missing_reason_is_told_in_the_same_sentence(operator: Client, door: Callable[..., str]) -> None:
    assert "A reason is needed: it becomes part of the record." in door(operator, "hold", reason="  ")


@pytest.mark.parametrize("door", DOORS)
def test_a_refusal_is_an_answer_and_not_a_fault(
    operator: Client, door: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def running(service: str, *, actor: Actor, reason: str) -> None:
        raise ProbeRunning("Somebody else is lifting it.")

    monkeypatch.setattr(gate, "lift_wait", running)
    assert "Somebody else is lifting it." in door(operator, "lift-wait")


def test_every_queue_is_paused_and_lifted_by_that_name(operator: Client) -> None:
    make_campaign()
    page = operator.post("/admin/recovery/pause/all/", {"reason": "the night"}, follow=True)
    assert "Every queue is paused." in text_of(page)
    page = operator.post("/admin/recovery/lift/all/", follow=True)
    assert "Every queue: the operator&#x27;s pause is lifted." in text_of(page)


@pytest.mark.parametrize(
    "column",
    [
        "circuitbreakers.Event.reason",
        "circuitbreakers.Breaker.hold_reason",
        "circuitbreakers.QueuePause.reason",
        "circuitbreakers.QueuePause.end_reason",
        "circuitbreakers.Incident.reset_reason",
        "campaigns.Campaign.operator_pause_reason",
    ],
)
def test_every_column_of_a_persons_reason_has_the_length_that_the_doors_allow(column: str) -> None:
    app, model, field = column.split(".")
    assert apps.get_model(app, model)._meta.get_field(field).max_length == REASON_LENGTH


def test_the_forms_allow_the_same_length(operator: Client) -> None:
    for address in ("/admin/recovery/", HOLD):
        assert f'name="reason" maxlength="{REASON_LENGTH}"' in text_of(operator.get(address))
