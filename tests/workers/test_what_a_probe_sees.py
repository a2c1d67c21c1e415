"""Whatever the next paid call would fail by, the probe fails by too, so that a reset does not run into it again."""

import pytest
from pytest_django import Settings

from campaigns.models import Campaign
from circuitbreakers import breaker, probes
from integrations.sandbox import Sandbox
from tests.breakers import fail, stored
from tests.builders import make_campaign
from tests.stores import break_vendor, calls_of
from tests.workers.chain import ANN, TARGET, job_of
from tests.workers.test_checking_keys import with_keys
from workers.run import run

pytestmark = pytest.mark.django_db

SHUT_DOWN = "o1-mini"


def work(service: str, campaign: Campaign | None = None) -> str:
    job = job_of(service, campaign)
    return run(job.pk, service)


def test_a_model_that_was_shut_down_opens_the_breaker_which_no_reset_closes_until_another_is_set(
    sandbox: Sandbox, settings: Settings
) -> None:
    settings.OPENAI_MODEL = SHUT_DOWN
    assert work("openai") == "failed: auth"
    assert stored("openai")["state"] == "open"
    with pytest.raises(breaker.BreakerRefused, match=f"model {SHUT_DOWN} is not in the list of models"):
        breaker.reset("openai", actor=ANN)
    settings.OPENAI_MODEL = "gpt-6.1-terra"
    assert breaker.reset("openai", actor=ANN) is True


def test_a_key_that_lost_its_scope_fails_the_probe_of_the_breaker_that_it_opened(
    sandbox: Sandbox, settings: Settings
) -> None:
    with_keys(settings, "unscoped-4711", "apollo")  # which may still read its own profile
    assert work("apollo") == "failed: auth"
    with pytest.raises(breaker.BreakerRefused, match="It may not search people, nor reveal people"):
        breaker.reset("apollo", actor=ANN)
    with_keys(settings, "good", "apollo")
    assert breaker.reset("apollo", actor=ANN) is True


@pytest.mark.parametrize("service", ["perplexity", "openai"])
def test_credit_that_is_used_up_fails_the_probe_although_the_health_call_succeeds(
    sandbox: Sandbox, service: str
) -> None:
    break_vendor(sandbox, service, "quota_exhausted")
    assert work(service) == "failed: quota_exhausted"
    found = probes.probe(service, actor=ANN)
    assert (found.ok, found.failure_type) == (False, "quota_exhausted")
    break_vendor(sandbox, service, "none")
    assert breaker.reset(service, actor=ANN) is True
    assert sum(call["charged"] for call in calls_of(sandbox)) == 0


def test_a_breaker_that_opened_by_other_failures_is_probed_by_the_health_call_alone(sandbox: Sandbox) -> None:
    fail("openai", times=5)
    assert stored("openai")["state"] == "open"
    assert probes.probe("openai", actor=ANN).ok
    assert [call["path"] for call in calls_of(sandbox)] == ["/models"]


def test_mails_cut_off_by_our_own_limit_stop_their_campaign_and_nobody_elses(
    sandbox: Sandbox, settings: Settings
) -> None:
    settings.OPENAI_REASONING_EFFORT = "xhigh"  # which thinks for more tokens than the limit allows
    campaign, other = make_campaign(instantly_campaign_id=TARGET), make_campaign(instantly_campaign_id=TARGET)
    happened = [work("openai", campaign) for _ in range(5)]
    assert happened == ["failed: invalid_request"] * 4 + ["campaign paused"]
    campaign.refresh_from_db()
    assert campaign.status == "PAUSED"
    assert "raise OPENAI_MAX_OUTPUT_TOKENS" in campaign.status_message
    settings.OPENAI_REASONING_EFFORT = "low"
    assert work("openai", other) == "completed"
    assert (stored("openai")["state"], stored("openai")["failure_count"]) == ("closed", "0")
