"""Instantly's webhook: who is let in, what is kept, and that nothing else happens."""

import json
import logging
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from api.hooks import MOST_BYTES
from campaigns import apply_outcomes
from campaigns.models import OutcomeEvent, Suppression
from campaigns.outcome_intake import SECRET_HEADER
from campaigns.wake import CHANNEL, Woken
from config.logs import TextFormatter
from tests.stores import another_session

pytestmark = pytest.mark.django_db

PATH = "kYf3vQm8RzT1xWc6LbN9hJd2GsP5aE7u"
SECRET = "s0Z-uVq4eBn7MxKt1Yw8HgRj3DcLp6Fa9I"
EVENT = {
    "event_type": "lead_unsubscribed",
    "lead_email": "Ida@Acme.example",
    "campaign_id": "0c1d",
    "timestamp": "2026-11-02T08:00:00.000Z",
    "email_id": "e1",
}


@pytest.fixture(autouse=True)
def ours(settings: Any) -> None:
    settings.INSTANTLY_WEBHOOK_PATH, settings.INSTANTLY_WEBHOOK_SECRET = PATH, SECRET
    Woken.at = -1e9


def deliver(
    body: object = EVENT, path: str = PATH, secret: str | None = SECRET, method: str = "post", **headers: str
) -> Any:
    """One delivery, over everything that stands before the view; strings and bytes as they are."""
    data = body if isinstance(body, bytes | str) else json.dumps(body)
    headers["X-Request-ID"] = "a-delivery"  # else each answer has one of its own
    if secret is not None:
        headers[SECRET_HEADER] = secret
    call = getattr(Client(enforce_csrf_checks=True), method)
    return call(f"/hooks/instantly/{path}/", data=data, content_type="application/json", headers=headers)


def test_an_event_is_kept_as_it_came() -> None:
    answer = deliver()
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    row = OutcomeEvent.objects.get()
    assert (row.kind, row.email, row.target, row.source) == (
        *("lead_unsubscribed", "ida@acme.example", "0c1d"),
        "webhook",
    )
    assert row.payload == EVENT
    assert row.occurred_at.isoformat() == "2026-11-02T08:00:00+00:00"
    assert row.applied_at is None


def test_the_slash_at_the_end_is_nobodys_business() -> None:
    assert Client().post(f"/hooks/instantly/{PATH}", EVENT, "application/json", headers={SECRET_HEADER: SECRET})
    assert OutcomeEvent.objects.count() == 1


def test_a_delivery_is_one_statement() -> None:
    deliver({**EVENT, "email_id": "first"})  # the connection's own settings
    with CaptureQueriesContext(connection) as seen:
        deliver()
    assert [query["sql"].split()[0] for query in seen] == ["WITH"]


def test_a_doubled_delivery_is_one_row() -> None:
    assert [deliver().status_code for _ in range(3)] == [200, 200, 200]
    assert deliver(dict(reversed(EVENT.items()))).status_code == 200
    assert OutcomeEvent.objects.count() == 1


@pytest.mark.parametrize("name", ["event_type", "lead_email", "campaign_id", "timestamp", "email_id"])
def test_another_event_is_another_row(name: str) -> None:
    deliver()
    deliver({**EVENT, name: "2026-11-02T08:00:01.000Z"})
    assert OutcomeEvent.objects.count() == 2


def test_without_an_instant_the_whole_event_makes_it_this_one() -> None:
    plain = {"event_type": "account_error", "email_account": "a@us.example"}
    for detail in ("one", "one", "another"):
        deliver({**plain, "detail": detail})
    assert OutcomeEvent.objects.count() == 2


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        *((PATH, "wrong"), (PATH, ""), (PATH, None), (PATH, "\xe9" * 40), ("wrong", SECRET), ("wrong", None)),
        *((PATH[:-1], SECRET), (PATH.lower(), SECRET), ("%00", SECRET), ("\u0660", SECRET)),
    ],
)
def test_a_stranger_gets_the_same_answer_whatever_is_wrong(path: str, secret: str | None) -> None:
    answer = deliver(path=path, secret=secret)
    known = deliver(path="x", secret="y")
    assert (answer.status_code, answer.content) == (401, known.content)
    assert dict(answer.headers) == dict(known.headers)
    assert OutcomeEvent.objects.count() == 0


@pytest.mark.parametrize("half", ["", "path", "secret"])
def test_while_it_is_not_configured_nobody_is_known(half: str, settings: Any) -> None:
    settings.INSTANTLY_WEBHOOK_PATH = PATH if half == "path" else ""
    settings.INSTANTLY_WEBHOOK_SECRET = SECRET if half == "secret" else ""
    for path in ("", PATH):
        for secret in ("", SECRET):
            assert deliver(path=path, secret=secret).status_code == 401


def test_a_stranger_costs_no_statement_and_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with CaptureQueriesContext(connection) as seen, caplog.at_level(logging.DEBUG):
        assert deliver(secret="wrong").status_code == 401
    assert (len(seen), caplog.records) == (0, [])


def test_nothing_else_can_be_done_there() -> None:
    assert deliver(method="put").status_code == 405
    assert deliver(method="put", secret="wrong").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        *("", "no JSON", "[]", '"text"', "null", b"\xff\xfe", '{"a": NaN}', '{"a": 1e999}', '{"a": -Infinity}'),
        *("[" * 100_000, '{"a":' * 200 + "1" + "}" * 200, '{"a": ' + "9" * 5000 + "}"),
    ],
)
def test_garbage_is_refused(body: str | bytes) -> None:
    assert deliver(body).status_code == 400
    assert OutcomeEvent.objects.count() == 0


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"event_type": None, "lead_email": ["ida@acme.example"], "campaign_id": {"a": 1}, "timestamp": 17},
        {"event_type": "x" * 500, "lead_email": "x" * 2000, "campaign_id": "y" * 500, "timestamp": "yesterday"},
        {"event_type": "a\x00b", "lead_email": "ida\x00@acme.example", "\ud800": "\udfff", "deep": [{"\x00": "\x00"}]},
        {"event_type": "email_sent", "timestamp": "0001-01-01T00:00:00+23:59"},
        {"event_type": "email_sent", "timestamp": "9999-12-31T23:59:59-23:59"},
        {"event_type": "email_sent", "number": 10**400, "fraction": 0.1},
    ],
)
def test_whatever_is_an_object_is_kept_and_harms_nobody(event: dict[str, Any]) -> None:
    assert deliver(json.dumps(event)).status_code == 200
    assert OutcomeEvent.objects.count() == 1
    assert apply_outcomes.apply() == 1
    assert Suppression.objects.count() == 0


def test_a_body_that_is_too_large_is_refused() -> None:
    assert deliver({**EVENT, "email_html": "x" * MOST_BYTES}).status_code == 413
    assert deliver({**EVENT, "email_html": "x" * (MOST_BYTES - 1000)}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_the_supervisor_is_woken_by_what_is_new() -> None:
    with another_session() as listener:
        listener.autocommit = True
        listener.execute(f"LISTEN {CHANNEL}")
        deliver()
        assert len(list(listener.notifies(timeout=10, stop_after=1))) == 1
        Woken.at = -1e9
        deliver()
        assert list(listener.notifies(timeout=0.1)) == []


def test_while_postgresql_is_away_the_vendor_is_told_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(events: object) -> int:
        raise OperationalError from psycopg.OperationalError("connection refused")

    monkeypatch.setattr("campaigns.outcome_intake.store", away)
    monkeypatch.setattr(connection, "close", lambda: None)  # it is the test's, inside its transaction
    answer = deliver()
    assert (answer.status_code, answer["Retry-After"]) == (503, "30")


def test_neither_payload_nor_secret_nor_path_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setFormatter(TextFormatter())
    with caplog.at_level(logging.DEBUG, logger="django.request"):
        deliver()
        deliver("no JSON")
        deliver(secret="wrong")
        deliver({**EVENT, "email_html": "x" * MOST_BYTES})
        deliver(method="put")
    for text in (PATH, SECRET, "Ida@Acme", "wrong"):
        assert text not in caplog.text
