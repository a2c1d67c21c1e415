"""Verbs in the admin: asked first, done once confirmed, counted; refused without the permission."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from campaigns import cancel_job, lifecycle, retry
from campaigns.models import Campaign, JobRow, Suppression
from campaigns.moves import MoveRefused
from circuitbreakers import breaker, policy
from circuitbreakers.models import Breaker, Event, Incident
from console import campaign_form
from console.admin.policy_form import PolicyForm
from tests.breakers import ANN, trip
from tests.builders import make_campaign, make_fleet, make_job

LIST = "/admin/campaigns/campaign/"


def choose(client: Client, address: str, action: str, rows: list[Any], **more: Any) -> Any:
    return client.post(address, {"action": action, "_selected_action": [row.pk for row in rows], **more}, follow=True)


def test_an_action_asks_first_then_reports_what_it_did_and_what_it_skipped_and_why(operator: Client) -> None:
    make_fleet()
    running, ended = make_campaign(), make_campaign("COMPLETED")
    asked = choose(operator, LIST, "pause", [running, ended])
    assert "Pause: 2 campaigns?" in asked.content.decode()
    assert Campaign.objects.get(pk=running.pk).status == "RUNNING"
    done = choose(operator, LIST, "pause", [running, ended], confirmed="1", reason="a break").content.decode()
    assert "Pause: 1 done." in done
    assert f"Pause: 1 skipped. Campaign {ended.pk} is COMPLETED: only a running one can be paused." in done
    assert Campaign.objects.get(pk=running.pk).operator_pause_reason == "a break"


def test_a_verb_that_needs_a_reason_is_not_done_without(operator: Client) -> None:
    campaign = make_campaign()
    choose(operator, LIST, "cancel", [campaign], confirmed="1", reason="  ")
    assert Campaign.objects.get(pk=campaign.pk).status == "RUNNING"


def test_a_viewer_has_no_action_and_is_refused_the_address(viewer: Client) -> None:
    campaign = make_campaign()
    page = viewer.get(reverse("admin:campaigns_campaign_change", args=[campaign.pk])).content.decode()
    assert "/verb/" not in page
    choose(viewer, LIST, "pause", [campaign], confirmed="1", reason="x")
    address = reverse("admin:campaigns_campaign_verb", args=[campaign.pk, "pause"])
    assert viewer.post(address, {"reason": "x"}).status_code == 403
    assert Campaign.objects.get(pk=campaign.pk).status == "RUNNING"


def test_a_button_on_a_rows_page_asks_and_acts(operator: Client) -> None:
    campaign = make_campaign()
    address = reverse("admin:campaigns_campaign_verb", args=[campaign.pk, "pause"])
    assert "Pause: 1 campaign?" in operator.get(address).content.decode()
    operator.post(address, {"confirmed": "1", "reason": "a break"})
    assert Campaign.objects.get(pk=campaign.pk).status == "PAUSED"


def test_a_campaign_is_made_from_a_pasted_search_with_its_event(operator: Client) -> None:
    url = "https://app.apollo.io/#/people?personTitles[]=CTO"
    operator.post(f"{LIST}add/", {"name": "New", "search_url": url, "max_leads": 10, "review": "off"})
    made = Campaign.objects.get()
    assert (made.name, made.status, made.created_by) == ("New", "CREATED", "operator")
    assert made.search == {"person_titles[]": ["CTO"]}
    assert Event.objects.get(subject_type="campaign").door == "admin"


def test_a_search_that_is_none_is_refused_beside_its_field(operator: Client) -> None:
    answer = operator.post(f"{LIST}add/", {"name": "New", "search_url": "https://example.com", "max_leads": 10})
    assert "This is not an address of Apollo" in answer.content.decode()
    assert not Campaign.objects.exists()


def test_a_duplicate_has_the_settings_and_no_leads(operator: Client) -> None:
    campaign = make_campaign(name="First", mail_prompt="")
    make_job(campaign)
    choose(operator, LIST, "duplicate", [campaign], confirmed="1")
    copy = Campaign.objects.get(name="First (copy)")
    assert (copy.status, copy.leads.count(), copy.instantly_campaign_id) == ("CREATED", 0, "")


def test_the_export_is_a_csv(viewer: Client) -> None:
    job = make_job()
    answer = viewer.get(reverse("admin:campaigns_campaign_export", args=[job.campaign_id]))
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert job.lead
    assert str(job.lead.email) in text


def test_a_failed_job_is_retried_with_its_lead() -> None:
    job = make_job(status="FAILED", attempts=5)
    assert job.lead
    type(job.lead).objects.update(state="FAILED", ended_at=job.completed_at, end_reason="verify failed: timeout")
    retry.retry_job(job.pk, actor=ANN)
    job.refresh_from_db()
    job.lead.refresh_from_db()
    assert (job.status, job.attempts, job.lead.state) == ("PENDING", 0, "OPEN")


@pytest.mark.parametrize("status", ["PENDING", "PROCESSING", "COMPLETED"])
def test_only_a_failed_job_is_retried(status: str) -> None:
    job = make_job(status=status)
    with pytest.raises(MoveRefused):
        retry.retry_job(job.pk, actor=ANN)
    assert JobRow.objects.get().status == status


def test_a_failed_job_of_an_ended_campaign_is_not_retried_alone() -> None:
    job = make_job(make_campaign("COMPLETED"), status="FAILED")
    with pytest.raises(MoveRefused):
        retry.retry_job(job.pk, actor=ANN)


@pytest.mark.parametrize("campaign_status", ["RUNNING", "PAUSED"])
def test_a_cancelled_job_drops_its_lead(campaign_status: str) -> None:
    job = make_job(make_campaign(campaign_status))
    cancel_job.cancel(job.pk, actor=ANN)
    job.refresh_from_db()
    assert job.lead
    job.lead.refresh_from_db()
    assert (job.status, job.lead.state) == ("CANCELLED", "DROPPED")


def test_a_job_that_a_worker_holds_is_not_cancelled() -> None:
    job = make_job(status="PROCESSING")
    with pytest.raises(MoveRefused):
        cancel_job.cancel(job.pk, actor=ANN)


def policy_data(**changes: int) -> dict[str, int]:
    return {**{name: getattr(policy.Policy(), name) for name in policy.Policy.__dataclass_fields__}, **changes}


def test_an_admin_edits_a_policy_and_the_event_says_what_changed(boss: Client) -> None:
    address = reverse("admin:circuitbreakers_breaker_change", args=["apollo"])
    boss.post(address, policy_data(failure_threshold=9))
    assert Breaker.objects.get(pk="apollo").failure_threshold == 9
    event = Event.objects.get(subject_type="policy")
    assert (event.before, event.after) == ({"failure_threshold": 5}, {"failure_threshold": 9})


@pytest.mark.parametrize("change", [{"failure_threshold": 0}, {"reset_timeout": 7200}, {"rate_trip_percent": 101}])
def test_a_policy_that_makes_no_sense_is_refused(boss: Client, change: dict[str, int]) -> None:
    boss.post(reverse("admin:circuitbreakers_breaker_change", args=["apollo"]), policy_data(**change))
    assert Breaker.objects.get(pk="apollo").policy == policy.Policy()


def test_an_operator_may_not_edit_a_policy(operator: Client) -> None:
    address = reverse("admin:circuitbreakers_breaker_change", args=["apollo"])
    assert operator.post(address, policy_data(failure_threshold=9)).status_code == 403


def test_an_incident_is_acknowledged_noted_and_exported(operator: Client) -> None:
    make_campaign()
    trip()
    incident = Incident.objects.get()
    address = reverse("admin:circuitbreakers_incident_verb", args=[incident.pk, "acknowledge"])
    operator.post(address, {"confirmed": "1"})
    note = reverse("admin:circuitbreakers_incident_verb", args=[incident.pk, "add_note"])
    operator.post(note, {"confirmed": "1", "reason": "called <b>their</b> support | ticket 7"})
    text = operator.get(reverse("admin:circuitbreakers_incident_markdown", args=[incident.pk])).content.decode()
    assert text.startswith(f"# Incident {incident.pk}: apollo")
    assert "call failed: auth" in text
    assert r"called \<b\>their\</b\> support \| ticket 7" in text
    incident.refresh_from_db()
    assert incident.acknowledged_by == "operator"


@pytest.mark.parametrize(
    ("value", "why"),
    [("co.uk", "is a public suffix"), ("a@b.example, c@d.example", "2 addresses"), ("nobody", "neither")],
)
def test_a_suppression_that_is_refused_says_why(operator: Client, value: str, why: str) -> None:
    answer = operator.post("/admin/campaigns/suppression/add/", {"value": value, "reason": "asked us"})
    assert why in answer.content.decode()
    assert not Suppression.objects.exists()


def test_an_operator_suppresses_a_domain_and_only_an_admin_takes_it_off(operator: Client, boss: Client) -> None:
    operator.post("/admin/campaigns/suppression/add/", {"value": "@Acme.Example", "reason": "asked us"})
    row = Suppression.objects.get()
    assert (row.value, row.created_by) == ("acme.example", "operator")
    address = reverse("admin:campaigns_suppression_delete", args=[row.pk])
    assert operator.post(address, {"post": "yes"}).status_code == 403
    assert "Reason" in boss.post(address, {"post": "yes"}).content.decode()
    assert Suppression.objects.exists()
    boss.post(address, {"confirmed": "1", "reason": "a customer again"})
    assert not Suppression.objects.exists()


def test_an_address_cannot_be_taken_off_the_list_by_overwriting_it(operator: Client) -> None:
    row = Suppression.objects.create(value="optout@acme.example", reason="asked us")
    address = reverse("admin:campaigns_suppression_change", args=[row.pk])
    operator.post(address, {"value": "nobody@nowhere.example", "reason": "asked twice"})
    row.refresh_from_db()
    assert (row.value, row.reason) == ("optout@acme.example", "asked twice")
    event = Event.objects.get(subject_type="suppression")
    assert (event.before or {})["reason"] == "asked us"


def meanwhile(monkeypatch: pytest.MonkeyPatch, form: Any, act: Any) -> None:
    """Somebody else acts between the reading of the row and its saving."""
    clean = form.clean

    def and_clean(self: Any) -> Any:
        act()
        return clean(self)

    monkeypatch.setattr(form, "clean", and_clean)


def test_a_rename_does_not_undo_a_cancel_that_came_meanwhile(operator: Client, monkeypatch: Any) -> None:
    row = make_campaign("RUNNING")
    meanwhile(monkeypatch, campaign_form.CampaignForm, lambda: lifecycle.cancel(row.pk, actor=ANN, reason="stop"))
    address = reverse("admin:campaigns_campaign_change", args=[row.pk])
    operator.post(address, {"name": "New", "research_prompt": "", "mail_prompt": "", "review": "off"})
    row.refresh_from_db()
    assert (row.name, row.status) == ("New", "CANCELLED")


def test_a_policy_edit_does_not_undo_a_release_that_came_meanwhile(boss: Client, monkeypatch: Any) -> None:
    breaker.hold("apollo", actor=ANN, reason="a migration")
    meanwhile(monkeypatch, PolicyForm, lambda: breaker.release("apollo", actor=ANN))
    boss.post(reverse("admin:circuitbreakers_breaker_change", args=["apollo"]), policy_data(failure_threshold=9))
    row = Breaker.objects.get(pk="apollo")
    assert (row.failure_threshold, row.held_at) == (9, None)


def test_an_admin_makes_a_user_with_a_role_who_can_sign_in(boss: Client) -> None:
    role = Group.objects.get(name="Viewer")
    boss.post(
        "/admin/auth/user/add/",
        {"username": "nina", "password1": "a long pass phrase 1", "password2": "a long pass phrase 1",
         "usable_password": "true", "groups": [role.pk]},
    )  # fmt: skip
    nina = User.objects.get(username="nina")
    assert nina.is_staff
    assert not nina.is_superuser
    assert list(nina.groups.all()) == [role]


def test_an_admin_cannot_lift_anybody_to_superuser_or_touch_one(boss: Client) -> None:
    root = User.objects.create_superuser("root", password="secret secret")
    address = reverse("admin:auth_user_change", args=[root.pk])
    assert boss.post(address, {"username": "mine"}).status_code == 403
    assert boss.post(reverse("admin:auth_user_password_change", args=[root.pk]), {}).status_code == 403
    me = User.objects.get(username="boss")
    boss.post(
        reverse("admin:auth_user_change", args=[me.pk]),
        {"username": "boss", "is_superuser": "on", "is_active": "on", "groups": [g.pk for g in me.groups.all()]},
    )
    me.refresh_from_db()
    assert not me.is_superuser
