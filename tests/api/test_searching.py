"""Searching big tables: few words, and not for longer than a list may take."""

import time
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from campaigns.models import Lead
from tests.api.test_hostile import LISTS
from tests.builders import make_campaign, make_lead


def with_search() -> list[str]:
    return [path for path in LISTS if not path.startswith("queue-management")]


def test_a_search_for_too_many_words_is_refused(viewer: APIClient) -> None:
    for path in with_search():
        assert viewer.get(f"/api/v1/{path}?search=a b c d e").status_code == 200
        answer = viewer.get(f"/api/v1/{path}?search=a b,c d e f")
        assert (answer.status_code, set(answer.json()["errors"])) == (400, {"search"}), path


@pytest.mark.django_db(transaction=True)
def test_a_list_that_takes_too_long_is_ended_and_says_what_to_do(
    viewer: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_lead(make_campaign("CREATED"))
    slow: Any = Lead.objects.extra(where=["pg_sleep(20) IS NOT NULL"])
    monkeypatch.setattr("api.frame.searching.SECONDS", 0.2)
    monkeypatch.setattr("api.lists.Leads.queryset", slow)
    began = time.monotonic()
    answer = viewer.get("/api/v1/leads?search=ann")
    assert time.monotonic() - began < 10
    assert (answer.status_code, answer.json()["status"]) == (503, "error")
    assert "Narrow it" in answer.json()["detail"]
    with connection.cursor() as cursor:  # nothing is left of the limit
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)
    assert viewer.get("/api/v1/campaigns").status_code == 200
