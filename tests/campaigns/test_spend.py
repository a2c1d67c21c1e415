"""The ledger's totals, and what is not paid for twice."""

import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command

from campaigns import spend
from campaigns.models import KnownFact
from circuitbreakers.services import SERVICES
from integrations.sandbox import Sandbox
from tests.builders import ago, make_call, make_campaign, make_job, make_verdict
from tests.stores import calls_of
from tests.workers.chain import again, job_of

pytestmark = [pytest.mark.django_db]

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def called(campaign: Any, kind: str, outcome: str = "success", at: datetime = NOON, **used: Any) -> None:
    make_call(make_job(campaign, kind, part=campaign.job_rows.count()), outcome, admitted_at=at, **used)


@pytest.fixture
def two_campaigns() -> list[Any]:
    first, second = make_campaign(), make_campaign()
    called(first, "reveal", credits=Decimal("1.5"), cost_usd=Decimal("0.0375"))
    called(first, "reveal", "malformed", at=NOON + timedelta(hours=11, minutes=59))
    called(first, "write", tokens_in=1000, tokens_out=200, cost_usd=Decimal("0.00065"), at=NOON + timedelta(hours=12))
    called(second, "verify", "unknown")
    called(second, "verify", credits=Decimal(1), cost_usd=Decimal("0.0037"), at=NOON - timedelta(days=2))
    return [first, second]


def test_totals_per_service(two_campaigns: list[Any]) -> None:
    spent = spend.by_service()
    assert list(spent) == list(SERVICES)
    assert spent["apollo"] == spend.Spend(calls=2, failed=1, credits=Decimal("1.5"), cost_usd=Decimal("0.0375"))
    assert spent["millionverifier"] == spend.Spend(calls=2, unknown=1, credits=Decimal(1), cost_usd=Decimal("0.0037"))
    assert spent["openai"] == spend.Spend(calls=1, tokens_in=1000, tokens_out=200, cost_usd=Decimal("0.00065"))
    assert spent["instantly"] == spend.Spend()


def test_totals_of_one_campaign_and_of_a_stretch_of_time(two_campaigns: list[Any]) -> None:
    first, _ = two_campaigns
    assert spend.by_service(campaign=first.pk)["millionverifier"] == spend.Spend()
    assert spend.by_service(campaign=first.pk, since=NOON.date() + timedelta(days=1))["apollo"].calls == 0
    assert spend.by_service(since=NOON.date(), until=NOON.date())["apollo"].calls == 2
    assert spend.by_service(until=NOON.date() - timedelta(days=1))["millionverifier"].calls == 1


def test_totals_by_day_of_utc(two_campaigns: list[Any]) -> None:
    days = spend.by_day()
    assert [(day.isoformat(), {name: sums.calls for name, sums in spent.items()}) for day, spent in days.items()] == [
        ("2026-11-01", {"millionverifier": 1}),
        ("2026-11-03", {"apollo": 2, "millionverifier": 1}),
        ("2026-11-04", {"openai": 1}),
    ]
    assert list(spend.by_day(campaign=two_campaigns[0].pk, until=NOON.date())) == [NOON.date()]


def test_a_campaigns_status_shows_what_it_spent(two_campaigns: list[Any]) -> None:
    out = io.StringIO()
    call_command("campaign", "status", two_campaigns[0].pk, "--json", stdout=out)
    shown = json.loads(out.getvalue())["spend"]
    assert (shown["apollo"]["calls"], Decimal(shown["apollo"]["cost_usd"])) == (2, Decimal("0.0375"))
    text = io.StringIO()
    call_command("campaign", "status", two_campaigns[0].pk, stdout=text)
    (line,) = [line.split() for line in text.getvalue().splitlines() if line.startswith("openai")]
    assert [Decimal(cell) for cell in line[1:]] == [1, 0, 0, 0, 1000, 200, Decimal("0.00065"), 0, 0]


@pytest.mark.parametrize("service", SERVICES)
def test_every_call_is_on_the_books_with_all_that_is_known_of_it(service: str, sandbox: Sandbox) -> None:
    job = job_of(service)
    assert again(job) == "completed"
    call = job.calls.get()
    job.refresh_from_db()
    assert (call.service, call.kind, call.campaign_id, call.fence, call.worker) == (
        service,
        job.kind,
        job.campaign_id,
        job.fence,
        job.worker,
    )
    assert (call.outcome, call.http_status, call.error) == ("success", 200, "")
    assert call.duration_ms is not None
    assert job.claimed_at
    assert abs(call.admitted_at - job.claimed_at) < timedelta(seconds=5)
    used = {"credits": call.credits, "tokens_in": call.tokens_in, "tokens_out": call.tokens_out, "cost": call.cost_usd}
    # Instantly's uploads are part of the plan; MillionVerifier and Instantly name no request.
    nothing = {
        "apollo": {"tokens_in", "tokens_out"},
        "millionverifier": {"tokens_in", "tokens_out"},
        "instantly": {"tokens_in", "tokens_out", "cost"},
    }.get(service, {"credits"})
    assert {name for name, value in used.items() if not value} == nothing
    assert bool(call.request_id) == (service in ("apollo", "perplexity", "openai"))


def test_a_second_campaign_does_not_pay_for_a_known_verdict(sandbox: Sandbox) -> None:
    first = job_of("millionverifier", email="ida+ok@acme.example")
    second = job_of("millionverifier", email="ida+ok@acme.example")
    assert again(first) == again(second) == "completed"
    assert len(calls_of(sandbox, "millionverifier")) == 1
    for job, without_call, calls in ((first, False, 1), (second, True, 0)):
        job.refresh_from_db()
        assert job.lead is not None
        assert (job.without_call, job.calls.count()) == (without_call, calls)
        assert (job.lead.verdict, job.lead.stage) == ("ok", "research")
        assert job.lead.job_rows.filter(kind="research").exists()


def test_a_verdict_is_forgotten_after_thirty_days_and_then_renewed(sandbox: Sandbox) -> None:
    make_verdict("old@acme.example", "invalid", bought_at=ago(30 * 86_400 + 60))
    make_verdict("young@acme.example", "invalid", bought_at=ago(30 * 86_400 - 60))
    for email in ("old@acme.example", "young@acme.example"):
        again(job_of("millionverifier", email=email))
    assert [call["key"] for call in calls_of(sandbox, "millionverifier")] == ["old@acme.example"]
    assert (datetime.now(UTC) - KnownFact.objects.get(about="old@acme.example").bought_at) < timedelta(minutes=1)


def test_an_unknown_verdict_is_not_remembered_for_it_says_nothing_of_the_address(sandbox: Sandbox) -> None:
    for _ in range(2):
        again(job_of("millionverifier", email="shy+unknown@acme.example"))
    assert len(calls_of(sandbox, "millionverifier")) == 2
    assert not KnownFact.objects.exclude(value=None).exists()
