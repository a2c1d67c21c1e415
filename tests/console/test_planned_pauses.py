"""Planned pauses in the console: form, list on the recovery page, button, and the reminder on every page."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from circuitbreakers import planned
from circuitbreakers.models import PlannedPause
from console import shared_snapshot
from tests.breakers import ANN
from tests.console.conftest import text_of

ADD = "/admin/circuitbreakers/plannedpause/add/"


def form(**changes: Any) -> dict[str, Any]:
    start = timezone.now() + timedelta(hours=1)
    end = start + timedelta(hours=2)
    parts = {
        f"{name}_{number}": text
        for name, at in (("starts_at", start), ("ends_at", end))
        for number, text in enumerate((f"{at:%Y-%m-%d}", f"{at:%H:%M:%S}"))
    }
    return {"service": "apollo", "reason": "their maintenance", **parts, **changes}


def test_an_operator_plans_a_pause_which_the_recovery_page_shows(operator: Client) -> None:
    assert operator.post(ADD, form()).status_code == 302
    row = PlannedPause.objects.get()
    assert (row.key, row.actor, row.reason) == ("operator:apollo", "operator", "their maintenance")
    page = text_of(operator.get(reverse("console:recovery")))
    assert "Planned: operator:apollo from" in page
    assert "their maintenance" in page


def test_the_recovery_page_has_the_form_and_the_button_for_those_who_may(operator: Client, viewer: Client) -> None:
    recovery = reverse("console:recovery")
    assert f'action="{ADD}"' in operator.get(recovery).content.decode()
    operator.post(ADD, form())
    button = reverse("admin:circuitbreakers_plannedpause_verb", args=[PlannedPause.objects.get().pk, "take_back"])
    for page in (recovery, reverse("console:live") + "?page=recovery"):
        assert button in operator.get(page).content.decode()
        shown = viewer.get(page).content.decode()
        assert "Planned: operator:apollo from" in shown
        assert button not in shown
    assert ADD not in viewer.get(recovery).content.decode()
    assert viewer.post(button, {"confirmed": "1"}).status_code == 403
    assert PlannedPause.objects.get().settled_at is None


def test_the_times_of_a_browsers_fields_are_enough(operator: Client) -> None:
    day = timezone.now().year + 1
    sent = {"starts_at_0": f"{day}-06-01", "starts_at_1": "22:30", "ends_at_0": "", "ends_at_1": ""}
    assert operator.post(ADD, form(**sent)).status_code == 302
    row = PlannedPause.objects.get()
    assert (f"{row.starts_at:%Y-%m-%d %H:%M %Z}", row.ends_at) == (f"{day}-06-01 22:30 UTC", None)


def test_what_makes_no_sense_is_said_beside_its_field(operator: Client) -> None:
    page = text_of(operator.post(ADD, form(starts_at_0="2020-01-01")))
    assert "has passed: give a later start" in page
    assert "This field is required" in text_of(operator.post(ADD, form(reason=" ")))
    assert not PlannedPause.objects.exists()


def test_a_viewer_may_look_and_not_plan(viewer: Client) -> None:
    assert viewer.get(ADD).status_code == 403
    assert viewer.post(ADD, form()).status_code == 403
    assert viewer.get("/admin/circuitbreakers/plannedpause/").status_code == 200


def test_it_is_taken_back_by_a_button(operator: Client) -> None:
    operator.post(ADD, form())
    row = PlannedPause.objects.get()
    shown = text_of(operator.get(reverse("admin:circuitbreakers_plannedpause_change", args=[row.pk])))
    assert "Take back" in shown
    address = reverse("admin:circuitbreakers_plannedpause_verb", args=[row.pk, "take_back"])
    said = [text_of(operator.post(address, {"confirmed": "1"}, follow=True)) for _ in range(2)]
    assert "is taken back" in said[0]
    assert "has begun, or was taken back already" in said[1]


def test_planned_pauses_and_reminders_take_two_statements_of_a_page(operator: Client) -> None:
    page = reverse("console:live") + "?page=recovery"
    operator.get(page)
    shared_snapshot.forget()
    with CaptureQueriesContext(connection) as seen:
        assert operator.get(page).status_code == 200
    assert len([query for query in seen.captured_queries if "planned_pauses" in query["sql"]]) == 2
    assert not [query for query in seen.captured_queries if "remind_at" in query["sql"].partition("WHERE")[2]]


def test_a_reminder_stands_on_every_page_until_the_pause_is_lifted(operator: Client) -> None:
    start = timezone.now() + timedelta(hours=1)
    planned.plan("apollo", actor=ANN, reason="a move", starts_at=start)
    past = timezone.now() - timedelta(hours=2)
    PlannedPause.objects.update(starts_at=past, ends_at=None)
    planned.begin_due()
    PlannedPause.objects.update(ends_at=past + timedelta(hours=1))
    for page in ("admin:index", "console:recovery", "admin:campaigns_campaign_changelist"):
        assert "The pause of apollo by ann was planned to end at" in text_of(operator.get(reverse(page)))
