"""Every number on the dashboard equals the database as of its instant; one snapshot serves all viewers."""

import re
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from campaigns.align import align_jobs
from campaigns.models import Campaign, Job, Lead, VendorCall
from circuitbreakers.services import SERVICES
from config.console import shared, snapshot
from tests.builders import make_call, make_campaign, make_fleet, make_job, make_lead, make_process
from tests.circuitbreakers.builders import fail, trip


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
    card = page[page.index(f'data-service="{service}"') :]
    card = card[: card.index("</article>")]
    return dict(re.findall(r'data-number="(\w+)">([^<]*)<', card))


def test_the_dashboards_numbers_are_the_databases(viewer: Client) -> None:
    a_house()
    page = viewer.get("/admin/").content.decode()
    for service in SERVICES:
        shown = numbers_of(page, service)
        jobs = Job.objects.filter(service=service)
        calls = VendorCall.objects.filter(service=service, admitted_at__date=timezone.now().date())
        assert shown["pending"] == f"{jobs.filter(status='PENDING').count():,}"
        assert shown["paused"] == f"{jobs.filter(status='PAUSED').count():,}"
        assert shown["calls_today"] == f"{calls.count():,}"
        assert shown["spent_today"] == f"${sum(call.cost_usd for call in calls):,.2f}"
    campaign = Campaign.objects.get()
    assert re.search(r'data-number="campaigns-RUNNING">1<', page)
    assert f"1,200 of {campaign.leads.count():,} leads" in page


def test_after_a_trip_the_numbers_follow_and_the_sentence_says_why(viewer: Client) -> None:
    make_fleet()
    campaign = make_campaign()
    for _ in range(3):
        make_job(campaign)
    fail("apollo", "timeout", times=5)
    align_jobs()
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
    monkeypatch.setattr(shared, "FRESH", 60.0)
    made: list[float] = []
    read = snapshot.read
    monkeypatch.setattr(snapshot, "read", lambda: (made.append(time.time()), read())[1])
    shared.forget()
    for _ in range(5):
        shared.current()
    assert len(made) == 1


def test_without_the_cache_it_is_made_from_the_database(monkeypatch: Any, settings: Any) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/2"}}
    make_campaign()
    assert shared.current().campaigns == {"RUNNING": 1}


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


def test_ten_thousand_jobs_are_counted_by_index() -> None:
    campaign = make_campaign("PAUSED")
    Job.objects.bulk_create(
        Job(campaign=campaign, kind="find", service="apollo", part=n, status="COMPLETED", completed_at=timezone.now())
        for n in range(10_000)
    )
    make_lead(campaign)
    trip()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs")
        from config.console.figures import JOBS_BY_SERVICE

        cursor.execute(f"EXPLAIN {JOBS_BY_SERVICE}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Seq Scan on jobs" not in plan
