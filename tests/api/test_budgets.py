"""Budgets over the API and in the admin: who may, what is refused, and what the second of two is told."""

from typing import Any

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from circuitbreakers.models import Budget, Event
from tests.api.conftest import client_of

pytestmark = pytest.mark.django_db
BUDGET = {"scope": "system", "period": "day", "limit_usd": "50", "reason": "as agreed"}


@pytest.fixture
def boss() -> APIClient:
    return client_of("admin")


def post(client: APIClient, path: str = "budgets", **body: Any) -> Any:
    return client.post(f"/api/v1/{path}", body, format="json")


def test_an_admin_sets_a_budget_and_everybody_sees_it(boss: APIClient, viewer: APIClient) -> None:
    answer = post(boss, **BUDGET)
    assert (answer.status_code, answer.data["message"]) == (200, "The budget of system is $50.00 a day.")
    shown = viewer.get("/api/v1/budgets").data["budgets"]
    assert [(row["limits"], row["set_by"], row["spent_usd"]) for row in shown] == [("$50.00 a day", "admin", None)]
    assert Event.objects.get(subject_type="budget").door == "api"


def test_an_operator_may_not_raise_what_limits_them(operator: APIClient) -> None:
    assert post(operator, **BUDGET).status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [{"limit_usd": "0"}, {"limit_usd": "NaN"}, {"limit_usd": "-3"}, {"limit_calls": "1.5"}, {"scope": "campaign:7"},
     {"period": "total"}, {"limit_usd": None}, {"reason": ""}],
)  # fmt: skip
def test_a_budget_that_cannot_be_is_refused(boss: APIClient, wrong: dict[str, Any]) -> None:
    assert post(boss, **{**BUDGET, **wrong}).status_code == 400
    assert not Budget.objects.exists()


def test_the_second_of_two_is_told(boss: APIClient) -> None:
    post(boss, **BUDGET)
    assert post(boss, **BUDGET, version=0).status_code == 409
    assert post(boss, "budgets/remove", scope="system", period="day", reason="x", version=9).status_code == 409
    assert post(boss, "budgets/remove", scope="system", period="day", reason="x", version=1).data["changed"]


def page(boss: Any, *ids: int, **fields: Any) -> Any:
    name = "admin:circuitbreakers_budget_" + ("change" if ids else "add")
    return boss.post(reverse(name, args=ids), fields)


@pytest.fixture
def browser() -> Any:
    from tests.console.conftest import client_of as browser_of

    return browser_of("Admin", "boss")


def test_the_admin_sets_one_and_tells_the_second_of_two(browser: Any) -> None:
    fields = {"scope": "service:openai", "period": "day", "limit_calls": 100, "reason": "as agreed", "seen": 0}
    assert page(browser, **fields).status_code == 302
    row = Budget.objects.get()
    assert (row.limit_calls, row.set_by) == (100, "boss")
    assert page(browser, row.pk, limit_calls=200, reason="more", seen=1).status_code == 302
    second = page(browser, row.pk, limit_calls=300, reason="more yet", seen=1)
    assert "boss has set this budget to 200 calls a day meanwhile" in second.content.decode()
    assert Budget.objects.get().limit_calls == 200
    assert browser.get(reverse("admin:circuitbreakers_budget_changelist")).status_code == 200
    assert browser.get(reverse("admin:circuitbreakers_budget_change", args=[row.pk])).status_code == 200


def test_the_admin_refuses_nonsense_in_words(browser: Any) -> None:
    fields = {"scope": "service:nobody", "period": "day", "limit_usd": "5", "reason": "as agreed", "seen": 0}
    assert "Invalid service name: nobody" in page(browser, **fields).content.decode()
    assert not Budget.objects.exists()
