"""What is foreseen of each service, in the API and in the command that says the same."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from campaigns.models import OutlookReading
from circuitbreakers.services import SERVICES

pytestmark = pytest.mark.django_db


def test_command_and_api_say_it(capsys: pytest.CaptureFixture[str], viewer: APIClient) -> None:
    OutlookReading.objects.create(
        service="millionverifier", asked_at=timezone.now(), left=Decimal(941), unit="credits", ends=date(2026, 1, 1)
    )
    call_command("queue", "outlook")
    shown = capsys.readouterr().out
    assert "941 credits left" in shown
    assert "The prices are those of" in shown
    body = viewer.get("/api/v1/queue-management/outlook").json()["data"]
    assert list(body["services"]) == list(SERVICES)
    one = body["services"]["millionverifier"]
    assert (one["readable"], one["hours"], one["alarming"]) == (True, 0, True)
    assert body["services"]["apollo"]["sentence"] == "not read yet"
    plan = viewer.get("/api/v1/queue-management/resume-queue").json()["data"]
    assert plan["warnings"] == [f"millionverifier: {one['sentence']}"]
