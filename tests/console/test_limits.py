"""How fast a service is called, in the console: the form, two who edit at once, the buttons, and the card."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from circuitbreakers import gate, rates, switch
from circuitbreakers.models import Breaker, Event
from circuitbreakers.policy import Policy
from config.roles import ADMIN
from tests.console.conftest import client_of, text_of

PAGE = "/admin/circuitbreakers/breaker/apollo/change/"
WHY = "their support asked for it"


@pytest.fixture(autouse=True)
def the_environments(settings: Any) -> None:
    settings.RATE_LIMITS = {name: rates.parse(text) for name, text in settings.RATE_LIMIT_DEFAULTS.items()}


def row() -> Breaker:
    return Breaker.objects.get(pk="apollo")


def form(**changes: Any) -> dict[str, Any]:
    """What the page would send now, with changes."""
    fields = {name: getattr(row(), name) for name in Policy.__dataclass_fields__}
    limits = {"rate_limits": row().rate_limits, "dispatch_window": row().dispatch_window or ""}
    return {**fields, **limits, "seen_version": row().version, "reason": WHY, **changes}


def save(client: Client, **changes: Any) -> str:
    return text_of(client.post(PAGE, form(**changes), follow=True))


def press(client: Client, button: str, **more: Any) -> str:
    address = reverse("admin:circuitbreakers_breaker_verb", args=["apollo", button])
    return text_of(client.post(address, {"confirmed": "1", **more}, follow=True))


def test_an_admin_sets_limits_and_the_page_says_who_and_why(boss: Client) -> None:
    save(boss, rate_limits="50/60,3000/3600", dispatch_window=9)
    assert (row().rate_limits, row().dispatch_window) == ("50/60,3000/3600", 9)
    event = Event.objects.get(subject_type="policy")
    assert (event.verb, event.actor, event.door, event.reason) == ("changed", "boss", "admin", WHY)
    assert event.after == {"rate_limits": "50/60,3000/3600", "dispatch_window": 9}
    assert f"50/60,3000/3600, by boss at {event.at:%Y-%m-%d %H:%M} UTC: {WHY}" in text_of(boss.get(PAGE))


def test_an_empty_field_is_the_environments(boss: Client) -> None:
    save(boss, rate_limits="50/60,3000/3600", dispatch_window=9)
    save(boss, rate_limits="", dispatch_window="")
    assert (row().rate_limits, row().dispatch_window) == ("", None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rate_limits": "0/60"}, "lets nothing through"),
        ({"rate_limits": "-5/60"}, "is no limit. Write COUNT/SECONDS"),
        ({"rate_limits": "many"}, "is no limit"),
        ({"rate_limits": "500/60"}, "Above what is published"),
        ({"rate_limits": "50/60,3000/3600", "reason": ""}, "A reason is needed"),
        ({"dispatch_window": "0"}, "1 to 10,000 messages, not 0"),
        ({"dispatch_window": "100000"}, "1 to 10,000 messages, not 100,000"),
    ],
)
def test_what_makes_no_sense_is_refused_beside_its_field(boss: Client, changes: dict[str, Any], words: str) -> None:
    assert words in save(boss, **changes)
    assert (row().rate_limits, row().dispatch_window) == ("", None)


def test_more_than_is_published_needs_the_tick(boss: Client) -> None:
    save(boss, rate_limits="500/60", above_published="on")
    assert row().rate_limits == "500/60"


def test_who_edits_what_somebody_has_edited_since_the_page_was_made_is_told(boss: Client) -> None:
    mine = form(rate_limits="60/60,3000/3600")
    save(client_of(ADMIN, "ben"), rate_limits="50/60,3000/3600")
    page = text_of(boss.post(PAGE, mine))
    assert "apollo was edited meanwhile by ben at" in page
    assert row().rate_limits == "50/60,3000/3600"


def test_the_page_of_a_policy_carries_the_version_that_it_shows(boss: Client) -> None:
    save(boss, rate_limits="50/60,3000/3600")
    assert f'name="seen_version" value="{row().version}"' in text_of(boss.get(PAGE))


def test_an_operator_sees_the_limits_and_may_not_set_them(operator: Client) -> None:
    assert "200/60,6000/3600" in text_of(operator.get(PAGE))
    assert operator.post(PAGE, form(rate_limits="50/60,3000/3600")).status_code == 403


def test_an_operator_slows_a_service_by_one_button_and_brings_it_back(operator: Client) -> None:
    assert "A reason is needed" in press(operator, "slow")
    page = press(operator, "slow", reason=WHY)
    assert "Apollo is slowed to 20 % of its rate limits." in page
    assert "to 20 %, by operator at" in page
    assert row().speed == 20
    for address in ("/admin/", "/admin/circuitbreakers/breaker/"):
        assert "20 %" in text_of(operator.get(address))
    assert "Apollo is back at its full rate limits." in press(operator, "full_speed")
    assert row().speed == 100


def test_a_viewer_has_no_such_button(viewer: Client) -> None:
    address = reverse("admin:circuitbreakers_breaker_verb", args=["apollo", "slow"])
    assert viewer.post(address, {"confirmed": "1", "reason": WHY}).status_code == 403
    assert row().speed == 100


def test_a_wait_of_days_is_shown_and_lifted_with_its_date(operator: Client) -> None:
    gate.record("apollo", "rate_limit", "HTTP 429", retry_after=3 * 86_400)
    until = switch.read_all().waits_until("apollo")
    assert until
    assert f"{until:%Y-%m-%d %H:%M:%S} UTC" in text_of(operator.get(PAGE))
    assert f"The wait of Apollo until {until:%Y-%m-%d %H:%M:%S} UTC is lifted" in press(operator, "lift_wait")
