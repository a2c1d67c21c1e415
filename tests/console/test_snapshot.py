"""Every number on the dashboard equals the database as of its instant; one snapshot serves all viewers."""

import re
import time
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from campaigns.models import Campaign, Job, Lead, VendorCall
from circuitbreakers.services import SERVICES
from console import shared_snapshot, snapshot, statistics
from tests.breakers import admit, fail, redis_cli
from tests.builders import make_call, make_campaign, make_fleet, make_job, make_process
from tests.stores import another_session


def a_house() -> None:
    make_fleet()
    campaign = make_campaign()
    for status in ("PENDING", "PENDING", "PROCESSING", "FAILED"):
        make_job(campaign, "verify", status)
    for kind in ("research", "write"):
        make_job(campaign, kind)
    for number in range(1200):
        Lead.objects.create(campaign=campaign, email=f"l{number}@acme.example", state="PUSHED", ended_at=timezone.now())
    job = make_job(campaign, "push", "COMPLETED")
    for fence, (outcome, cost) in enumerate([("success", "0.5"), ("timeout", "0"), ("success", "1.25")], 1):
        make_call(job, outcome, fence=fence, cost_usd=Decimal(cost))
    make_call(job, fence=9, cost_usd=Decimal(7), admitted_at=timezone.now() - timedelta(days=2))


def numbers_of(page: str, service: str) -> dict[str, str]:
    """Every number that the dashboard shows of a service: on its card, and in the spend of today."""
    card = page[page.index(f'data-service="{service}"') :]
    spend = page[page.index(f'data-spend="{service}"') :]
    parts = card[: card.index("</article>")] + spend[: spend.index("</li>")]
    return dict(re.findall(r'data-number="(\w+)">([^<]*)<', parts))


def numbers_in_the_stores(service: str, at: datetime) -> dict[str, str]:
    """The same, asked of PostgreSQL and Redis one by one."""
    jobs, calls = Job.objects.filter(service=service), VendorCall.objects.filter(service=service)
    minute, today = calls.filter(admitted_at__gt=at - timedelta(seconds=60)), calls.filter(admitted_at__date=at.date())
    failed = sum(call.outcome not in ("success", "invalid_request", "unknown") for call in minute)
    counts = {
        "pending": jobs.filter(status="PENDING").count(),
        "paused": jobs.filter(status="PAUSED").count(),
        "in_flight": redis_cli().zcard(f"circuit_permits:{service}"),
        "failures": int(redis_cli().hget(f"circuit_breaker:{service}", "failure_count") or 0),
        "per_minute": minute.count(),
        "calls_today": today.count(),
        **({"failed_per_minute": failed} if failed else {}),
    }
    spent = sum(call.cost_usd for call in today)
    return {**{name: f"{count:,}" for name, count in counts.items()}, "spent_today": f"${spent:,.2f}"}


def as_of(page: str) -> datetime:
    found = re.search(r'data-at="([^"]+)"', page)
    assert found
    return datetime.fromisoformat(found[1])


def test_every_number_of_the_dashboard_is_the_stores(viewer: Client) -> None:
    a_house()
    admit("openai")
    fail("perplexity", "timeout", times=2)
    page = viewer.get("/admin/").content.decode()
    at = as_of(page)
    for service in SERVICES:
        assert numbers_of(page, service) == numbers_in_the_stores(service, at)
    spent = sum(call.cost_usd for call in VendorCall.objects.filter(admitted_at__date=at.date()))
    assert f'data-number="spent">${spent:,.2f}<' in page
    campaign = Campaign.objects.get()
    assert 'data-number="campaigns-RUNNING">1<' in page
    leads = campaign.leads
    assert f"1,200 of {leads.count():,} leads" in page
    for stage in ("verify", "research", "write"):
        assert f'title="{leads.filter(stage=stage, state="OPEN").count():,} {stage}"' in page


@pytest.mark.django_db(transaction=True)
def test_what_comes_while_it_is_read_is_in_none_of_its_numbers(monkeypatch: Any) -> None:
    job = make_job(status="COMPLETED")
    count = statistics.jobs_by_service

    def and_somebody_works() -> Any:
        with another_session() as session:
            session.execute("UPDATE job_rows SET status = 'PENDING', completed_at = NULL")
            session.execute(
                "INSERT INTO vendor_calls (job_id, campaign_id, service, kind, fence, admitted_at, outcome, error, "
                "request_id, credits, tokens_in, tokens_out, cost_usd, worker) "
                "VALUES (%s, %s, %s, 'verify', 1, now(), 'success', '', '', 0, 0, 0, 1, '')",
                [job.pk, job.campaign_id, job.service],
            )
        return count()

    monkeypatch.setattr(statistics, "jobs_by_service", and_somebody_works)
    card = next(card for card in snapshot.read().cards if card.service == job.service)
    assert (card.pending, card.calls_today, card.per_minute, card.spent_today) == (0, 0, 0, 0)


@pytest.mark.parametrize("age", [0.0, 0.9, 1.5, 2.1, 60.0])
@pytest.mark.parametrize("somebody_is_making_one", [False, True])
def test_nobody_is_shown_numbers_older_than_two_seconds(
    monkeypatch: Any, age: float, somebody_is_making_one: bool
) -> None:
    monkeypatch.setattr(shared_snapshot, "FRESH", 1.0)
    monkeypatch.setattr(shared_snapshot, "STALE", 2.0)
    made: list[float] = []
    read = snapshot.read
    monkeypatch.setattr(snapshot, "read", lambda: (made.append(time.time()), read())[1])
    began = time.time()
    monkeypatch.setattr(time, "time", lambda: began)
    shared_snapshot.current()
    if somebody_is_making_one:
        cache.set(f"{shared_snapshot.KEY}:making", 1)
    monkeypatch.setattr(time, "time", lambda: began + age)
    shared_snapshot.current()
    old_enough = age < 1 or (age < 2 and somebody_is_making_one)
    assert len(made) == (1 if old_enough else 2)


def test_after_a_trip_the_numbers_follow_and_the_sentence_says_why(viewer: Client) -> None:
    make_fleet()
    campaign = make_campaign()
    for _ in range(3):
        make_job(campaign)
    fail("apollo", "timeout", times=5)
    page = viewer.get("/admin/").content.decode()
    assert "because Apollo failed 5 calls in a row: timeouts. 1 campaign and 3 jobs wait." in page
    assert "probe and reset Apollo" in page
    assert 'data-title="PAUSED"' in page
    assert numbers_of(page, "millionverifier")["paused"] == "3"


def test_the_chart_counts_calls_and_failures_by_minute() -> None:
    job = make_job(status="COMPLETED")
    make_call(job, "success", fence=1)
    make_call(job, "timeout", fence=2)
    card = next(card for card in snapshot.read().cards if card.service == "millionverifier")
    assert sum(minute.calls for minute in card.minutes) == 2
    assert sum(minute.failed for minute in card.minutes) == 1
    assert len(card.minutes) == 60


def test_all_viewers_share_one_snapshot(monkeypatch: Any) -> None:
    monkeypatch.setattr(shared_snapshot, "FRESH", 60.0)
    made: list[float] = []
    read = snapshot.read
    monkeypatch.setattr(snapshot, "read", lambda: (made.append(time.time()), read())[1])
    shared_snapshot.forget()
    for _ in range(5):
        shared_snapshot.current()
    assert len(made) == 1


def test_without_the_cache_it_is_made_from_the_database(monkeypatch: Any, settings: Any) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/2"}}
    make_campaign()
    assert shared_snapshot.current().campaigns == {"RUNNING": 1}


def test_an_unchanged_page_is_not_sent_again(viewer: Client) -> None:
    make_fleet()
    first = viewer.get("/admin/live/?page=dashboard").content.decode()
    seen = re.search(r"seen=(\w{16})", first)
    assert seen
    again = viewer.get(f"/admin/live/?page=dashboard&seen={seen[1]}")
    assert again.status_code == 204
    assert again["X-As-Of"]
    make_campaign()
    assert viewer.get(f"/admin/live/?page=dashboard&seen={seen[1]}").status_code == 200


@pytest.mark.parametrize(("mode", "word"), [("sandbox", "SANDBOX"), ("live", "LIVE")])
def test_every_page_shows_the_mode(viewer: Client, settings: Any, mode: str, word: str) -> None:
    settings.MODE = mode
    for address in ("/admin/", "/admin/recovery/", "/admin/campaigns/campaign/"):
        assert f'hf-mode-{mode}">{word}<' in viewer.get(address).content.decode()


def test_dead_processes_are_named() -> None:
    make_process("worker")
    make_process("supervisor", seen_at=timezone.now() - timedelta(minutes=1))
    seen = snapshot.read()
    assert seen.missing == ["supervisor"]
    assert "no live supervisor" in seen.sentence.text
