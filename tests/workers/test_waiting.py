"""What slows us down: a vendor's 429, its headers, the token budgets. Nothing of it costs an attempt."""

import math
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from campaigns import prompts
from campaigns.models import JobRow
from circuitbreakers import gate, rates, switch
from circuitbreakers.services import SERVICES
from integrations.ratelimits import apollo as apollo_headers
from integrations.ratelimits import openai as openai_headers
from integrations.results import RateLimits, RateWindow
from integrations.sandbox import Sandbox
from tests.builders import ago, make_campaign, make_job
from tests.integrations.wire import http, serving
from tests.stores import break_vendor, calls_of
from tests.workers.chain import TARGET, job_of
from workers.dispatch import dispatch
from workers.pace import follow_headers
from workers.run import run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]


def blocked_for(service: str) -> float:
    """Seconds until the gate opens by itself."""
    snapshot = switch.read_all()
    until = snapshot.gates[service].blocked_until
    return (until - snapshot.now).total_seconds() if until else 0.0


def waits(job: JobRow) -> float:
    job.refresh_from_db()
    assert (job.status, job.attempts, job.crashes) == ("PENDING", 0, 0)
    return (job.run_at - timezone.now()).total_seconds()


def pretend_due(job: JobRow) -> None:
    JobRow.objects.filter(pk=job.pk).update(run_at=ago(1))


@pytest.mark.parametrize("service", ["apollo", "perplexity", "openai"])
def test_a_vendors_wish_shuts_the_gate_of_its_service_until_then(service: str, sandbox: Sandbox) -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    first, second = job_of(service, campaign), job_of(service, campaign)
    other = next(name for name in SERVICES if name != service)
    break_vendor(sandbox, service, "rate_limit", retry_after=40)
    assert run(first.pk, service) == "failed: rate_limit"
    assert 35 < blocked_for(service) <= 40
    assert 35 < waits(first) <= 40
    # Nothing else of the service is sent or admitted, and what was on its way comes back for that very instant.
    assert run(second.pk, service) == "refused: rate"
    assert 35 < waits(second) <= 40
    assert dispatch() == 0
    assert len(calls_of(sandbox, service)) == 1
    assert switch.read(service).failure_count == 0
    assert blocked_for(other) == 0


@pytest.mark.parametrize("service", SERVICES)
def test_without_a_wish_each_429_waits_twice_as_long(service: str, sandbox: Sandbox) -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    break_vendor(sandbox, service, "rate_limit")
    seen = []
    for _ in range(7):
        job = job_of(service, campaign)
        assert run(job.pk, service) == "failed: rate_limit"
        assert run(job_of(service, campaign).pk, service) == "refused: rate"
        # It is not handed out again before the gate opens: nothing spins.
        assert dispatch() == 0
        seen.append(blocked_for(service))
        # As if the wait had just ended: after a quiet minute it would begin anew.
        just_now = int(switch.read_all().now.timestamp() * 1_000_000) - 1000
        switch.client().hset(f"circuit_gate:{service}", "blocked_until", str(just_now))
        JobRow.objects.update(run_at=timezone.now() + timedelta(hours=1))
    # OpenAI and Perplexity name the reset of a used-up window in their headers instead.
    steady = {"openai": [60.0] * 7, "perplexity": [60.0] * 7}
    assert seen == pytest.approx(steady.get(service, [2, 4, 8, 16, 32, 60, 60]), abs=1.5)
    assert len(calls_of(sandbox, service)) == 7
    assert switch.read(service).state == "closed"


def test_the_later_of_two_wishes_wins(sandbox: Sandbox) -> None:
    campaign = make_campaign()
    for wish, stands in ((50, 50), (10, 50), (90, 90)):
        break_vendor(sandbox, "apollo", "rate_limit", retry_after=wish)
        # Both were admitted before either was answered.
        permit = gate.admit("apollo", f"call {wish}") if blocked_for("apollo") <= 0 else None
        if permit:
            permit.settle("rate_limit", retry_after=wish)
        else:
            gate.record("apollo", "rate_limit", retry_after=wish)
        assert stands - 5 < blocked_for("apollo") <= stands
    assert run(job_of("apollo", campaign).pk, "apollo") == "refused: rate"


def test_a_success_ends_the_throttling(sandbox: Sandbox) -> None:
    job = job_of("millionverifier")
    break_vendor(sandbox, "millionverifier", "rate_limit")
    run(job.pk, job.service)
    break_vendor(sandbox, "millionverifier", "none")
    switch.client().hset("circuit_gate:millionverifier", "blocked_until", "1")
    pretend_due(job)
    assert run(job.pk, job.service) == "completed"
    assert switch.read_all().gates["millionverifier"].throttled_since is None


# --- headers --------------------------------------------------------------------------------------------------------


def paces(service: str) -> dict[str, int]:
    stored = {str(name): str(value) for name, value in switch.client().hgetall(f"circuit_gate:{service}").items()}
    return {name[5:]: int(value) for name, value in stored.items() if name.startswith("pace:")}


@pytest.mark.parametrize("service", ["apollo", "openai"])
def test_the_headers_name_limits_that_the_gate_has(service: str, settings: Settings) -> None:
    """Names and windows of the headers against those in the settings' own defaults: no typing error can part them."""
    named = {
        "apollo": apollo_headers({"x-rate-limit-minute": "1", "x-rate-limit-hourly": "1"}),
        "openai": openai_headers({"x-ratelimit-limit-requests": "1", "x-ratelimit-limit-tokens": "1"}),
    }[service]
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, service: rates.parse(settings.RATE_LIMIT_DEFAULTS[service])}
    follow_headers(service, named)
    assert paces(service).keys() == {limit.name for limit in gate.limits_of(service)}
    assert all(paces(service).values())


def test_a_lower_limit_in_the_headers_slows_the_gate_and_a_higher_one_frees_it(settings: Settings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "apollo": rates.parse("200/60")}
    people = {"total_entries": 0, "people": []}
    with serving(
        http(200, people, x_rate_limit_minute="20", x_minute_requests_left="19"),
        http(200, people, x_rate_limit_minute="200", x_minute_requests_left="198"),
    ) as server:
        settings.VENDORS["apollo"] = {**settings.VENDORS["apollo"], "base_url": server.url}
        assert run(find_job().pk, "apollo") == "completed"
        slowed = paces("apollo")["per_60s"]
        assert slowed == rates.RateLimit("", 20, 60).interval_us
        # The gate really takes it: what may come at once shrinks to the same share.
        assert admitted_at_once("apollo") < 20
        switch.client().hdel("circuit_gate:apollo", "tat:per_60s")
        assert run(find_job().pk, "apollo") == "completed"
    assert paces("apollo")["per_60s"] == 0
    switch.client().hdel("circuit_gate:apollo", "tat:per_60s")
    assert admitted_at_once("apollo") == 20  # the burst of our own 200 a minute


def find_job() -> JobRow:
    return make_job(make_campaign(search={"q_keywords": "x"}), "find", part=1, run_at=ago(1))


def admitted_at_once(service: str) -> int:
    for number in range(1000):
        try:
            gate.admit(service, f"burst {number} {timezone.now()}").settle("unknown")
        except gate.NotAdmitted:
            return number
    raise AssertionError("the gate never refuses")


@pytest.mark.parametrize(
    "window",
    [
        RateWindow("requests", 86_400.0, 600, 0, None),  # a day that is used up
        RateWindow("requests", 60.0, 500, 0, 86_400.0),
        RateWindow("tokens", 60.0, 1, 1, None),  # a token a minute
        RateWindow("requests", 60.0, 1, 1, None),
    ],
)
def test_headers_alone_never_hold_a_service_up_for_more_than_two_minutes(
    window: RateWindow, settings: Settings
) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "openai": rates.parse("500/60,tokens=200000/60")}
    for _ in range(3):
        follow_headers("openai", RateLimits((window,)), tokens=3000)
    refusals = []
    for number in range(2):
        try:
            gate.admit("openai", str(number), tokens=3000)
        except gate.NotAdmitted as refused:
            refusals.append(refused.until)
    assert refusals[-1] is not None
    assert 5 < (refusals[-1] - switch.read_all().now).total_seconds() <= 121


# --- token budgets --------------------------------------------------------------------------------------------------


def owed(service: str, limit: rates.RateLimit) -> float:
    """Tokens that the budget still counts as used."""
    snapshot = switch.read_all()
    arrival = float(switch.client().hget(f"circuit_gate:{service}", "tat:tokens") or 0)
    return (arrival - snapshot.now.timestamp() * 1_000_000) / limit.interval_us


@pytest.mark.parametrize("service", ["perplexity", "openai"])
def test_a_call_reserves_what_it_may_use_at_most_and_gives_back_the_rest(
    service: str, sandbox: Sandbox, settings: Settings
) -> None:
    # So slow that nothing flows back while the test runs.
    limit = rates.RateLimit("tokens", 10_000, 86_400, 9_000)
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, service: (limit,)}
    job = job_of(service)
    assert run(job.pk, service) == "completed"
    call = job.calls.get()
    assert call.tokens_in > 0
    assert call.tokens_out > 0
    assert owed(service, limit) == pytest.approx(call.tokens_in + call.tokens_out, abs=2)


@pytest.mark.parametrize("service", ["perplexity", "openai"])
def test_a_budget_that_the_longest_answer_would_break_refuses_the_call_before_it_is_made(
    service: str, sandbox: Sandbox, settings: Settings
) -> None:
    job = job_of(service)
    assert job.lead is not None
    request = prompts.research_request if service == "perplexity" else prompts.mail_request
    most = getattr(settings, f"{service.upper()}_MAX_OUTPUT_TOKENS")
    needed = prompts.estimate_tokens("".join(request(job.campaign, job.lead))) + most
    limit = rates.RateLimit("tokens", 10 * needed, 86_400, 10 * needed)
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, service: (limit,)}
    used = 9 * needed + math.ceil(needed / 2)
    gate.admit(service, "somebody else's", tokens=used).settle("unknown")
    # Its prompt alone would fit: it is the answer that may not.
    assert needed - most < 10 * needed - used < needed
    assert run(job.pk, service) == "refused: rate"
    assert waits(job) > 0
    assert calls_of(sandbox, service) == []


def test_a_truncated_answer_is_charged_what_it_used(sandbox: Sandbox, settings: Settings) -> None:
    limit = rates.RateLimit("tokens", 10_000, 86_400, 9_000)
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "openai": (limit,)}
    job = job_of("openai")
    break_vendor(sandbox, "openai", "silent")
    assert run(job.pk, "openai") == "failed: malformed"
    call = job.calls.get()
    assert call.cost_usd > 0
    assert owed("openai", limit) == pytest.approx(call.tokens_in + call.tokens_out, abs=2)
