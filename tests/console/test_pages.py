"""Every page of the console opens for every role, in few queries whatever the number of rows."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns.models import Campaign, Job, Lead, VendorCall
from circuitbreakers.models import Breaker, Event, Incident, QueuePause
from console.admin.lists import CappedPaginator
from tests.breakers import trip
from tests.builders import make_call, make_campaign, make_fleet, make_job, make_lead
from tests.console.conftest import client_of

MODELS = list(admin.site._registry)
SEEN_BY_ALL = [m for m in MODELS if m._meta.app_label in ("campaigns", "circuitbreakers")]


def url_of(model: Any, page: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def a_busy_house(jobs: int = 3) -> None:
    make_fleet()
    campaign = make_campaign()
    for _ in range(jobs):
        job = make_job(campaign, "verify", "COMPLETED", fence=1)
        make_call(job, cost_usd="0.0037")
    make_job(campaign, "verify", "FAILED", error="HTTP 503")
    trip()


@pytest.mark.parametrize("model", SEEN_BY_ALL, ids=lambda m: m.__name__)
def test_a_viewer_sees_every_list(viewer: Client, model: Any) -> None:
    a_busy_house()
    assert viewer.get(url_of(model)).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_an_admin_sees_every_list(boss: Client, model: Any) -> None:
    a_busy_house()
    assert boss.get(url_of(model)).status_code == 200


@pytest.mark.parametrize("model", [Campaign, Lead, Job, VendorCall, Breaker, Incident, QueuePause, Event])
def test_every_row_has_a_page(viewer: Client, boss: Client, model: Any) -> None:
    a_busy_house()
    row = model.objects.first()
    assert viewer.get(url_of(model, "change", row.pk)).status_code == 200
    assert boss.get(url_of(model, "change", row.pk)).status_code == 200


def test_a_rows_page_writes_states_services_and_times_as_the_lists_do(viewer: Client) -> None:
    job = make_job(status="COMPLETED")
    page = viewer.get(url_of(Job, "change", job.pk)).content.decode()
    assert f"{job.completed_at:%Y-%m-%d %H:%M:%S} UTC" in page
    for shown in ("MillionVerifier", "</span> Completed", "Done without a vendor call: nothing was paid."):
        assert shown in page


def test_a_users_page_opens_for_an_admin_and_is_refused_to_an_operator(boss: Client, operator: Client) -> None:
    pk = User.objects.get(username="operator").pk
    assert boss.get(reverse("admin:auth_user_change", args=[pk])).status_code == 200
    assert boss.get(reverse("admin:auth_user_add")).status_code == 200
    assert operator.get(reverse("admin:auth_user_change", args=[pk])).status_code == 403


@pytest.mark.parametrize("model", SEEN_BY_ALL, ids=lambda m: m.__name__)
def test_a_list_of_more_rows_takes_no_more_queries(viewer: Client, model: Any) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            viewer.get(url_of(model))
        return len(seen)

    a_busy_house(jobs=2)
    viewer.get(url_of(model))  # what Django keeps for the whole process
    few = queries()
    for _ in range(20):
        job = make_job(make_campaign("PAUSED"), "verify", "COMPLETED", fence=1)
        make_call(job)
    assert queries() <= few


@pytest.mark.parametrize("address", ["/admin/", "/admin/recovery/", "/admin/live/?page=dashboard"])
def test_the_dashboard_of_more_campaigns_takes_no_more_queries(viewer: Client, address: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert viewer.get(address).status_code == 200
        return len(seen)

    a_busy_house()
    viewer.get(address)
    few = queries()
    for _ in range(20):
        make_lead(make_campaign("PAUSED"))
    assert queries() <= few


def test_the_root_leads_to_the_dashboard(viewer: Client) -> None:
    assert viewer.get("/")["Location"] == "/admin/"


@pytest.mark.parametrize("address", ["/admin/", "/admin/recovery/"])
def test_nobody_sees_the_console_without_signing_in(address: str) -> None:
    assert Client().get(address).status_code == 302


def test_a_polled_page_without_a_login_is_told_so() -> None:
    assert Client().get("/admin/live/?page=dashboard").status_code == 401


@pytest.mark.parametrize("address", ["/admin/", "/admin/recovery/", "/admin/live/?page=dashboard"])
def test_who_has_lost_their_role_sees_nothing(address: str) -> None:
    campaign = make_campaign(name="A secret plan")
    answer = client_of(None, "left").get(address)
    assert answer.status_code in (200, 403)
    text = answer.content.decode()
    assert campaign.name not in text
    assert "hf-banner" not in text


@pytest.mark.parametrize(
    "address", ["lead/?q=" + "1" * 5000, "lead/?q=" + "x" * 5000, "job/?status__exact=nonsense", "job/?nonsense=1"]
)
def test_a_list_survives_what_is_typed_into_its_address(viewer: Client, address: str) -> None:
    assert viewer.get(f"/admin/campaigns/{address}").status_code in (200, 302)


@pytest.mark.parametrize("query", ["nonsense=1", "incident__id__exact=abc"])
def test_an_export_of_a_filter_that_is_none_leads_back_to_the_list(viewer: Client, query: str) -> None:
    assert viewer.get(f"/admin/circuitbreakers/event/export/?{query}").status_code == 302


def test_a_list_past_ten_thousand_rows_says_that_there_are_more(viewer: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr(CappedPaginator, "MOST", 60)
    campaign = make_campaign()
    Lead.objects.bulk_create(Lead(campaign=campaign, email=f"l{n}@acme.example") for n in range(61))
    assert "60\n" in viewer.get(url_of(Lead)).content.decode()
    assert "or more: narrow the list" in viewer.get(url_of(Lead)).content.decode()
    Lead.objects.filter(pk__in=Lead.objects.values("pk")[:2]).delete()
    assert "or more" not in viewer.get(url_of(Lead)).content.decode()
