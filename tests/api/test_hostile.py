"""Hostile input: refused or shown inert, never a 500."""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import pytest
from rest_framework.test import APIClient

from campaigns.models import Campaign, Lead
from tests.api.test_campaigns import URL, a_file, upload
from tests.builders import make_campaign, make_lead

LISTS = ("campaigns", "leads", "jobs", "vendor-calls", "incidents", "events", "queue-management/paused-jobs/apollo")
NASTY = (
    "'; DROP TABLE campaigns; --",
    "%' OR 1=1 --",
    "<script>alert(1)</script>",
    "{{7*7}}${7*7}",
    "../../etc/passwd",
    "\x00",
    "a\x00b",
    "\ud800",
    "9" * 5000,
    "-1",
    "1e400",
    "NaN",
    "2" * 40,
    "\u202e\u2066\U000e0041",
    "[]",
    "\\",
    "'" * 100,
)


def escaped(text: str) -> str:
    """As it would stand in an address, halves of surrogate pairs included."""
    return quote(text, safe="", errors="surrogatepass")


def sent_raw(client: APIClient, url: str, body: bytes, kind: str = "application/json") -> Any:
    return client.generic("POST", url, body, content_type=kind)  # type: ignore[arg-type]


@pytest.mark.fuzz
@pytest.mark.parametrize("value", NASTY)
def test_no_filter_search_cursor_or_order_breaks_a_list(viewer: APIClient, value: str) -> None:
    make_lead(make_campaign("CREATED"))
    names = ("search", "cursor", "page_size", "ordering", "status", "campaign", "service", "email", "company",
             "created_after", "admitted_before", "incident", "after", "subject_id", "open", value)  # fmt: skip
    for path in LISTS:
        for name in names:
            answer = viewer.get(f"/api/v1/{path}?{escaped(name)}={escaped(value)}")
            assert answer.status_code in (200, 400, 404), (path, name, answer.content[:200])


@pytest.mark.parametrize("position", ["x", "\x00", "99999999999999999999999", "2020", "-1", "\ud800"])
def test_no_made_up_cursor_breaks_a_list(viewer: APIClient, position: str) -> None:
    for path in LISTS:
        for order in ("id", "-id"):
            for prefix in ("p=", "o=5&p=", "r=1&p=", "o=99999999999999999999&p="):
                cursor = quote(b64encode((prefix + quote(position, errors="replace")).encode()))
                answer = viewer.get(f"/api/v1/{path}?cursor={cursor}&ordering={order}")
                assert answer.status_code in (200, 404), (path, order, prefix, answer.content[:200])


@pytest.mark.parametrize("value", NASTY)
def test_no_value_breaks_a_service_name_in_the_path(operator: APIClient, value: str) -> None:
    name = escaped(value)
    for verb in ("reset", "probe", "hold", "release"):
        answer = operator.post(f"/api/v1/queue-management/circuit-breakers/{name}/{verb}", {"reason": "x"})
        assert answer.status_code in (400, 404)
        answer.json()


@pytest.mark.parametrize("path", ["campaigns/{}", "campaigns/{}/start", "incidents/{}", "campaigns/{}/leads"])
def test_no_number_is_too_large_for_a_path(operator: APIClient, path: str) -> None:
    for number in (0, 2**31, 2**63, 10**30, 10**300):
        url = f"/api/v1/{path.format(number)}"
        answer = operator.post(url) if url.endswith("start") else operator.get(url)
        assert answer.status_code == 404


@pytest.mark.fuzz
@pytest.mark.parametrize("value", [*NASTY, None, 1, 1e308, True, [], {}, [[]], {"a": {"b": 1}}])
def test_no_value_of_a_field_breaks_a_change(operator: APIClient, value: Any) -> None:
    fields = ("name", "max_leads", "apollo_url", "instantly_campaign_id", "research_prompt", "mail_prompt", "csv",
              "encoding", "service", "reason", "force", "remind_at", "username", "password", "days")  # fmt: skip
    campaign = make_campaign("CREATED")
    urls = (URL, f"{URL}/{campaign.pk}/pause", "/api/v1/queue-management/pause-service", "/api/v1/auth/token",
            "/api/v1/queue-management/circuit-breakers/apollo/hold")  # fmt: skip
    for url in urls:
        for name in fields:
            body = {"name": "n", "reason": "r", "service": "apollo", "username": "u", "password": "p", name: value}
            answer = sent_raw(operator, url, json.dumps(body).encode())
            assert answer.status_code < 500, (url, name, answer.content[:300])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"[" * 100_000,
        b'{"reason":' * 100_000,
        b'{"reason": ' + b"9" * 5000 + b"}",
        b'{"reason": NaN}',
        b"\xff\xfe\x00",
        b'{"reason": "\\ud800"}',
        b'{"reason": "\\u0000"}',
        b'{"\\ud800": 1, "reason": []}',
    ],
    ids=range(13),
)
def test_no_body_breaks_a_reset(operator: APIClient, body: bytes) -> None:
    answer = sent_raw(operator, "/api/v1/queue-management/circuit-breakers/apollo/reset", body)
    assert answer.status_code == (200 if body == b"" else 400)
    answer.json()


def test_a_body_that_is_too_large_is_refused_by_its_length(operator: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    settings.IMPORT_MAX_BYTES = 1000
    answer = sent_raw(operator, URL, json.dumps({"name": "x", "csv": "y" * 2000}).encode())
    assert (answer.status_code, answer.json()["status"]) == (413, "error")
    assert upload(operator, name="x", csv=a_file("Email\n" + "a@acme.example\n" * 500)).status_code == 413


def test_another_kind_of_body_is_refused(operator: APIClient) -> None:
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded"):
        assert sent_raw(operator, URL, b"name=x", kind).status_code == 415
    assert sent_raw(operator, URL, b"nonsense", "multipart/form-data; boundary=x").status_code == 400
    assert sent_raw(operator, URL, b"nonsense", "multipart/form-data").status_code == 400


def test_a_media_type_is_the_same_in_any_case(operator: APIClient) -> None:
    form = b'--B\r\nContent-Disposition: form-data; name="name"\r\n\r\nA form\r\n--B--\r\n'
    assert sent_raw(operator, URL, form, "Multipart/Form-Data; boundary=B").status_code == 201
    assert sent_raw(operator, URL, b'{"name": "JSON"}', "Application/JSON").status_code == 201
    assert set(Campaign.objects.values_list("name", flat=True)) == {"A form", "JSON"}


def test_too_many_fields_and_files_are_refused(operator: APIClient) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="f%d"\r\n\r\n1\r\n'
    body = b"".join(part % number for number in range(3000)) + b"--x--\r\n"
    assert sent_raw(operator, URL, body, "multipart/form-data; boundary=x").status_code == 413
    part = b'--x\r\nContent-Disposition: form-data; name="csv"; filename="%d"\r\n\r\n1\r\n'
    body = b"".join(part % number for number in range(30)) + b"--x--\r\n"
    assert sent_raw(operator, URL, body, "multipart/form-data; boundary=x").status_code == 413


def test_cells_of_a_file_are_stored_as_text_and_shown_as_json(operator: APIClient) -> None:
    rows = "".join(
        f'"{value}",p{n}@acme.example\n' for n, value in enumerate(["=1+1", "<b>x</b>", "'; DROP--", "a\x00b"])
    )
    answer = upload(operator, name="<img src=x onerror=alert(1)>", csv=a_file("First Name,Email\n" + rows))
    assert (answer.status_code, answer["Content-Type"]) == (201, "application/json")
    assert set(Lead.objects.values_list("first_name", flat=True)) == {"=1+1", "<b>x</b>", "'; DROP--", "a b"}
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_a_file_name_with_a_path_is_of_no_consequence(operator: APIClient) -> None:
    file = a_file()
    file.name = "../../etc/passwd"
    assert upload(operator, name="x", csv=file).status_code == 201
    assert Campaign.objects.get().name == "x"


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_an_address_without_anything_answers_in_the_envelope(anonymous: APIClient, method: str) -> None:
    for path in (
        "",
        "nothing",
        "campaigns/",
        "campaigns/-1",
        "queue-management/../status",
        "campaigns/1/delete",
        "campaigns/a%0Ab/leads",
    ):
        answer = getattr(anonymous, method)(f"/api/v1/{path}")
        assert answer.status_code == 404
        assert set(answer.json()) == {"status", "detail"}


def test_what_nobody_expected_is_a_500_without_a_secret(viewer: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(*_: Any) -> Any:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr("campaigns.overview.queue_status", fall)
    viewer.raise_request_exception = False
    answer = viewer.get("/api/v1/queue-management/status")
    assert (answer.status_code, answer.json()["status"]) == (500, "error")
    assert b"hunter2" not in answer.content
