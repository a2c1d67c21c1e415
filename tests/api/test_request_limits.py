"""What is refused before it is read: nothing of it reaches the disk, whoever sent it."""

from typing import Any

import pytest
from django.core.files import uploadhandler
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from tests.builders import make_campaign, make_user

MEGABYTE = 1_048_576


@pytest.fixture
def spooled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the pieces of files that were taken in."""
    pieces: list[int] = []
    for kind in (uploadhandler.TemporaryFileUploadHandler, uploadhandler.MemoryFileUploadHandler):
        receive = kind.receive_data_chunk

        def spy(self: Any, raw: bytes, start: int, receive: Any = receive) -> Any:
            pieces.append(len(raw))
            return receive(self, raw, start)

        monkeypatch.setattr(kind, "receive_data_chunk", spy)
    return pieces


@pytest.fixture(autouse=True)
def small_imports(settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = 2 * MEGABYTE
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = MEGABYTE


def a_file(size: int) -> SimpleUploadedFile:
    return SimpleUploadedFile("people.csv", b"x" * size)


def signed_in() -> Client:
    client = Client()
    client.force_login(make_user("operator", "operator"), "django.contrib.auth.backends.ModelBackend")
    return client


def test_a_large_upload_to_the_login_is_refused_unread(spooled: list[int]) -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"file": a_file(2 * MEGABYTE)})
    assert (answer.status_code, answer["Content-Type"], spooled) == (413, "text/plain", [])
    assert answer["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["", "nothing", "auth/token", "campaigns", "campaigns/1/leads"])
def test_the_api_refuses_a_large_body_in_its_envelope(anonymous: APIClient, spooled: list[int], path: str) -> None:
    answer = anonymous.post(f"/api/v1/{path}", {"csv": a_file(3 * MEGABYTE)}, format="multipart")
    assert (answer.status_code, answer.json()["status"], spooled) == (413, "error", [])


def test_a_session_uploads_no_more_than_an_import_may_be(spooled: list[int]) -> None:
    client = signed_in()
    client.handler.enforce_csrf_checks = True
    answer = client.post(f"/api/v1/campaigns/{make_campaign('CREATED').pk}/leads", {"csv": a_file(4 * MEGABYTE)})
    assert (answer.status_code, spooled) == (413, [])


def test_each_address_has_the_limit_that_it_needs() -> None:
    client, campaign = signed_in(), make_campaign("CREATED")
    page = f"/admin/campaigns/campaign/{campaign.pk}/import"
    assert client.post(f"{page}/preview/", {"file": a_file(MEGABYTE + 1000)}).status_code == 200
    assert client.post(f"{page}/preview/", {"file": a_file(2 * MEGABYTE)}).status_code == 413
    assert client.post(f"{page}/run/", {"file": a_file(2 * MEGABYTE), "mapping": "x"}).status_code == 400
    assert client.post(f"{page}/run/", {"file": a_file(3 * MEGABYTE)}).status_code == 413
    listing = "/admin/campaigns/suppression/import/"
    assert client.post(listing, {"file": a_file(4 * MEGABYTE), "cause": "operator"}).status_code == 200
    assert client.post(listing, {"file": a_file(6 * MEGABYTE), "cause": "operator"}).status_code == 413


@pytest.mark.parametrize("page", ["campaign/{}/import/run/", "suppression/import/"])
def test_an_import_of_nobody_who_is_signed_in_is_sent_to_the_login_unread(spooled: list[int], page: str) -> None:
    page = f"/admin/campaigns/{page.format(make_campaign('CREATED').pk)}"
    answer = Client(enforce_csrf_checks=True).post(page, {"file": a_file(MEGABYTE)})
    assert (answer.status_code, answer["Location"], spooled) == (302, f"/admin/login/?next={page}", [])


def test_a_body_without_a_length_is_refused_instead_of_read_as_empty(operator: APIClient) -> None:
    answer = operator.generic("POST", "/api/v1/campaigns", headers={"Transfer-Encoding": "chunked"})
    assert (answer.status_code, answer.json()["status"]) == (411, "error")


@pytest.mark.parametrize(
    "address", ["campaigns/job/?status__exact=%00", "campaigns/lead/?q=a%00b", "circuitbreakers/event/export/?%00=1"]
)
def test_a_nul_in_an_address_of_the_console_is_refused_in_words(address: str) -> None:
    client = signed_in()
    client.raise_request_exception = False
    answer = client.get(f"/admin/{address}")
    assert (answer.status_code, "NUL" in answer.content.decode()) == (400, True)
