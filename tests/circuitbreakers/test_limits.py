"""Limits that are set by hand: what is refused, what is kept, and when they hold, here and in other processes."""

import subprocess
import sys
import time
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from campaigns.models import JobRow
from circuitbreakers import gate, limits, limits_report, policies, rates, switch
from circuitbreakers.events import Actor
from circuitbreakers.models import Breaker, Event
from circuitbreakers.services import SERVICES, UnknownService
from tests.breakers import ANN, Beside, admit, is_admitted, redis_cli, refusal
from tests.builders import ago, make_job
from tests.circuitbreakers.test_rates import limits_of_all_shapes
from tests.pages import ROOT
from workers import dispatch

BEN = Actor("ben", "api")
WHY = "their support asked for it"


@pytest.fixture(autouse=True)
def the_environments(settings: Any) -> None:
    """The limits that come with the code."""
    settings.RATE_LIMITS = {name: rates.parse(text) for name, text in settings.RATE_LIMIT_DEFAULTS.items()}


def change(values: dict[str, Any], service: str = "apollo", **details: Any) -> dict[str, Any]:
    """Change it and, as a commit does, let this process forget what it knew."""
    before = limits.change(service, values, **{"actor": ANN, "reason": WHY, **details})
    policies.forget()
    return before


def slow(service: str = "apollo", percent: int = 20) -> bool:
    done = limits.slow(service, actor=ANN, reason=WHY, percent=percent)
    policies.forget()
    return done


def admitted_at_once(service: str = "apollo") -> int:
    count = 0
    while is_admitted(service):
        count += 1
    return count


# --- what holds -------------------------------------------------------------------------------------------------------


def test_a_limit_that_is_set_by_hand_holds_and_an_empty_one_is_the_environments() -> None:
    assert change({"rate_limits": "50/60, 6000/3600"}) == {"rate_limits": ""}
    assert rates.text_of(gate.limits_of("apollo")) == "50/60,6000/3600"
    assert rates.text_of(gate.limits_of("openai")) == "500/60,tokens=200000/60"
    assert change({"rate_limits": ""}) == {"rate_limits": "50/60,6000/3600"}
    assert rates.text_of(gate.limits_of("apollo")) == "200/60,6000/3600"


def test_a_dispatch_window_that_is_set_by_hand_holds() -> None:
    change({"dispatch_window": 9}, "millionverifier")
    assert dispatch.window("millionverifier") == 9
    change({"dispatch_window": None}, "millionverifier")
    assert dispatch.window("millionverifier") == 256


def test_an_edit_is_an_event_with_actor_reason_and_both_values() -> None:
    change({"rate_limits": "50/60"})
    event = Event.objects.get(subject_type="policy", subject_id="apollo")
    assert (event.verb, event.actor, event.door, event.reason) == ("changed", "ann", "command", WHY)
    assert (event.before, event.after) == ({"rate_limits": ""}, {"rate_limits": "50/60"})


def test_an_edit_that_changes_nothing_is_no_event() -> None:
    change({"rate_limits": "50/60"})
    assert change({"rate_limits": " 50/60 ", "dispatch_window": None}) == {}
    assert Event.objects.count() == 1


def test_who_set_it_when_and_why_is_told_and_not_of_the_environments() -> None:
    change({"rate_limits": "50/60"})
    told = limits_report.read(["apollo"])["apollo"]
    event = Event.objects.get()
    assert (told.rate_limits.value, told.rate_limits.environment) == ("50/60", "200/60,6000/3600")
    assert (told.rate_limits.set_by, told.rate_limits.set_at, told.rate_limits.reason) == ("ann", event.at, WHY)
    assert (told.dispatch_window.by_hand, told.dispatch_window.whose) == (False, "the environment's")
    change({"rate_limits": ""})
    assert limits_report.read(["apollo"])["apollo"].rate_limits.whose == "the environment's"


def test_a_value_that_was_typed_into_the_database_has_nobody_to_name() -> None:
    change({"rate_limits": "50/60"})
    Breaker.objects.filter(service="apollo").update(rate_limits="40/60")
    told = limits_report.read(["apollo"])["apollo"].rate_limits
    assert (told.value, told.by_hand, told.set_by, told.set_at) == ("40/60", True, "", None)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0/60", "lets nothing through. Write COUNT/SECONDS"),
        ("50/0", "lets nothing through"),
        ("tokens=0/60", "lets nothing through"),
        ("-5/60", "'-5/60' is no limit. Write COUNT/SECONDS in whole numbers above zero, such as 200/60"),
        ("50", "is no limit"),
        ("many", "is no limit"),
        ("1e3/60", "is no limit"),
        ("50/60s", "is no limit"),
        ("٥٠/60", "is no limit"),
        ("per_60s=50/60", "is no limit"),
        (",", "There is no limit in ','"),
        ("50/60,40/60", "There are two limits of 60 seconds: keep one of them."),
        ("50/60:51", "has a burst above its count"),
        ("1000000001/60", "is more than 1,000,000,000 calls: count the zeros."),
        ("50/99999999", "is longer than 2,678,400 seconds (31 days)"),
        ("1/7200", "is less than 1 calls an hour: allow more, or pause the service's queue."),
        ("50/60,tokens=1/60", "is less than 1,000 tokens an hour"),
        ("9" * 12 + "/1", "is more than"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_with_what_to_do(text: str, words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        change({"rate_limits": text}, above_published=True)
    assert words in refused.value.message_dict["rate_limits"][0]
    assert not Event.objects.exists()


@pytest.mark.parametrize("window", [0, -1, 10_001])
def test_a_dispatch_window_that_makes_no_sense_is_refused(window: int) -> None:
    with pytest.raises(ValidationError, match="1 to 10,000 messages"):
        change({"dispatch_window": window})


@pytest.mark.parametrize("percent", [0, -20, 100, 101])
def test_a_speed_that_is_none_is_refused(percent: int) -> None:
    with pytest.raises(ValidationError, match="1 to 99 per cent"):
        slow(percent=percent)


@pytest.mark.parametrize(
    ("service", "text"),
    [
        ("apollo", "201/60"),  # and nothing of an hour
        ("apollo", "200/60"),
        ("apollo", "200/60,6001/3600"),
        ("apollo", "300/90:300,6000/3600"),  # in some minute more than 200
        ("openai", "500/60"),  # without a limit of tokens
        ("openai", "500/60,tokens=200001/60"),
        ("perplexity", "4/1,150/60,tokens=100000/60"),
    ],
)
def test_more_than_the_vendor_publishes_needs_a_word_of_its_own(service: str, text: str) -> None:
    with pytest.raises(ValidationError, match="Above what is published"):
        change({"rate_limits": text}, service)
    assert change({"rate_limits": text}, service, above_published=True)
    assert limits_report.read([service])[service].above_published


@pytest.mark.parametrize("service", SERVICES)
def test_what_the_vendor_publishes_is_not_above_it(service: str, settings: Any) -> None:
    published = settings.RATE_LIMIT_DEFAULTS[service]
    assert rates.above(rates.typed(published), rates.parse(published)) == []


@given(limit=limits_of_all_shapes, percent=st.integers(1, 100))
def test_a_slower_limit_lets_no_more_through_than_its_share(limit: rates.RateLimit, percent: int) -> None:
    slower = limit.scaled(percent)
    assert slower.name == limit.name
    assert slower.most_in(slower.period) <= slower.count
    assert slower.count * 100 * limit.period <= limit.count * percent * slower.period
    assert slower.allowance <= limit.allowance


def test_an_edit_without_a_reason_is_refused() -> None:
    with pytest.raises(ValidationError, match="A reason is needed"):
        change({"rate_limits": "50/60"}, reason=" ")
    with pytest.raises(ValidationError, match="A reason is needed"):
        limits.slow("apollo", actor=ANN, reason="")


def test_an_unknown_service_is_refused() -> None:
    with pytest.raises(UnknownService):
        change({"rate_limits": "50/60"}, "foo")
    with pytest.raises(UnknownService):
        slow("foo")


@pytest.mark.parametrize("columns", [{"rate_limits": "0/60"}, {"rate_limits": "many"}, {"speed": 0}, {"speed": 101}])
def test_the_database_refuses_what_the_gate_could_not_read(columns: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Breaker.objects.filter(service="apollo").update(**columns)


# --- two at once ------------------------------------------------------------------------------------------------------


def test_who_edits_what_somebody_has_edited_meanwhile_is_told_by_whom() -> None:
    version = Breaker.objects.get(pk="apollo").version
    change({"rate_limits": "50/60"}, version=version)
    with pytest.raises(
        limits.EditedMeanwhile, match=r"edited meanwhile by ann at .* UTC \(their support asked for it\)"
    ):
        change({"rate_limits": "100/60"}, actor=BEN, version=version)
    assert Breaker.objects.get(pk="apollo").rate_limits == "50/60"
    change({"rate_limits": "100/60"}, actor=BEN, version=version + 1)


def test_a_slower_speed_takes_nobodys_edit_away() -> None:
    version = Breaker.objects.get(pk="apollo").version
    slow()
    assert change({"rate_limits": "50/60"}, version=version)
    assert Breaker.objects.get(pk="apollo").speed == 20


@pytest.mark.django_db(transaction=True)
def test_of_two_edits_at_the_same_moment_one_is_made_and_the_other_is_told() -> None:
    version = Breaker.objects.get(pk="apollo").version
    with transaction.atomic():
        change({"rate_limits": "50/60"}, version=version)
        second = Beside(lambda: change({"rate_limits": "100/60"}, actor=BEN, version=version))
        second.until_it_waits()
    assert isinstance(second.result(), limits.EditedMeanwhile)
    assert Breaker.objects.get(pk="apollo").rate_limits == "50/60"
    assert Event.objects.filter(subject_type="policy").count() == 1


# --- the limiter's memory ---------------------------------------------------------------------------------------------


def test_what_was_used_before_an_edit_counts_after_it() -> None:
    assert admitted_at_once() == 20
    remembered = float(redis_cli().hget("circuit_gate:apollo", "tat:per_60s"))
    change({"rate_limits": "100/60,6000/3600"})
    assert not is_admitted()
    # To a tenth of a second: a burst of 10 takes as long at this pace as one of 20 at that.
    assert abs(float(redis_cli().hget("circuit_gate:apollo", "tat:per_60s")) - remembered) < 100_000


def test_an_edit_to_other_windows_gives_nobody_a_second_burst() -> None:
    assert admitted_at_once() == 20
    change({"rate_limits": "30/10,6000/3600"})
    assert refusal().reason == "rate"


@pytest.mark.parametrize("percent", [1, 20, 33, 99])
@pytest.mark.parametrize("limit", ["20/600", "9/600", "40/600:7"])
def test_slowing_and_speeding_up_again_gives_nobody_a_second_burst(limit: str, percent: int, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "apollo": rates.parse(limit)}
    assert admitted_at_once() == settings.RATE_LIMITS["apollo"][0].allowance
    slow(percent=percent)
    assert not is_admitted()
    assert limits.full_speed("apollo", actor=ANN)
    policies.forget()
    assert not is_admitted()


def test_a_call_that_is_settled_after_an_edit_gives_back_what_it_was_charged() -> None:
    field = ("circuit_gate:openai", "tat:tokens")
    permit = admit("openai", tokens=2000)
    charged = float(redis_cli().hget(*field))
    slow("openai")
    permit.settle("success", tokens=500)
    interval = rates.parse("tokens=200000/60")[0].interval_us
    assert charged - float(redis_cli().hget(*field)) == pytest.approx(1500 * interval, abs=interval)


@pytest.mark.django_db(transaction=True)
def test_an_edit_while_redis_is_away_is_made_all_the_same(settings: Any) -> None:
    settings.REDIS_SWITCH_URL = "redis://127.0.0.1:1/0"
    switch.client.cache_clear()
    switch.script.cache_clear()
    assert change({"rate_limits": "30/10,6000/3600"})
    assert rates.text_of(gate.limits_of("apollo")) == "30/10,6000/3600"


# --- speed ------------------------------------------------------------------------------------------------------------


def test_slowed_to_a_fifth_all_limits_are_a_fifth_and_full_speed_brings_them_back() -> None:
    slow("openai")
    assert rates.text_of(gate.limits_of("openai")) == "460/300:10,tokens=184000/300:4000"
    assert [limit.name for limit in gate.limits_of("openai")] == ["per_60s", "tokens"]
    assert limits.full_speed("openai", actor=BEN, reason="it is well")
    policies.forget()
    assert rates.text_of(gate.limits_of("openai")) == "500/60,tokens=200000/60"
    slowed, full = Event.objects.filter(subject_type="policy").order_by("id")
    assert (slowed.verb, slowed.before, slowed.after) == ("slowed", {"speed": 100}, {"speed": 20})
    assert (full.verb, full.actor, full.reason, full.after) == ("full_speed", "ben", "it is well", {"speed": 100})


def test_a_speed_holds_for_limits_that_are_set_by_hand_too() -> None:
    change({"rate_limits": "100/60,6000/3600"})
    slow()
    told = limits_report.read(["apollo"])["apollo"]
    assert (told.rate_limits.value, told.in_force) == ("100/60,6000/3600", "92/300:2,5520/18000:120")
    assert (told.speed.value, told.speed.set_by, told.speed.reason) == (20, "ann", WHY)


def test_what_is_so_already_is_no_event() -> None:
    assert limits.full_speed("apollo", actor=ANN) is False
    assert slow() is True
    assert slow() is False
    assert Event.objects.filter(subject_type="policy").count() == 1


@pytest.mark.django_db(transaction=True)
def test_jobs_that_waited_for_the_old_limits_are_asked_again_within_seconds() -> None:
    slow("millionverifier")
    waiting = make_job(kind="verify", run_at=ago(-3600), failure_type="")
    failed = make_job(kind="verify", run_at=ago(-3600), failure_type="server_error")
    limits.full_speed("millionverifier", actor=ANN)
    waits = [(JobRow.objects.get(pk=job.pk).run_at - timezone.now()).total_seconds() for job in (waiting, failed)]
    assert waits[0] <= 5
    assert waits[1] > 3000


# --- other processes --------------------------------------------------------------------------------------------------

LOOK = """
import sys, time, django
django.setup()
from circuitbreakers import gate, rates
while True:
    print(rates.text_of(gate.limits_of("apollo")), flush=True)
    time.sleep(0.05)
"""


@pytest.mark.django_db(transaction=True)
def test_an_edit_is_in_force_in_another_process_within_five_seconds(settings: Any) -> None:
    known = connection.settings_dict
    address = f"postgres://{known['USER']}:{known['PASSWORD']}@{known['HOST']}:{known['PORT']}/{known['NAME']}"
    environment = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "MODE": "sandbox",
        "DEBUG": "true",
        "SECRET_KEY": "x",
        "READ_DOTENV": "false",
        "DATABASE_URL": address,
        "REDIS_URL": settings.REDIS_SWITCH_URL.rsplit("/", 1)[0],
    }
    command = [sys.executable, "-c", LOOK]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        try:
            assert other.stdout.readline().strip() == "200/60,6000/3600"
            for edit, expected in (
                (lambda: change({"rate_limits": "50/60,3000/3600"}), "50/60,3000/3600"),
                (slow, "46/300:1,2760/18000:60"),
            ):
                edit()
                started = time.monotonic()
                while other.stdout.readline().strip() != expected:
                    assert time.monotonic() - started < 5
        finally:
            other.kill()
