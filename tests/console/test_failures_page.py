"""The pages of what failed: the groups, a group's dry run, and the buttons that ask before they act."""

import csv
import io
import re
import uuid
from typing import Any

import pytest
from django.test import Client

from campaigns.models import Campaign, JobRow, Lead
from circuitbreakers.models import Event
from tests.builders import make_campaign, make_job
from tests.campaigns.failing import fail, the_group
from tests.console.conftest import client_of, text_of

pytestmark = pytest.mark.django_db
PAGE = "/admin/failures/"
ORDER = {"reason": "the vendor is well again"}


def token_on(answer: Any) -> str:
    found = re.search(r'name="token" value="([^"]+)"', answer.content.decode())
    assert found
    return found[1]


def press(client: Client, verb: str, token: str, **more: str) -> Any:
    return client.post(f"{PAGE}{verb}/", {"token": token, **ORDER, **more}, follow=True)


def test_groups_are_shown_with_their_figures_and_examples(viewer: Client) -> None:
    campaign = make_campaign(name="<b>CTOs</b>")
    job = fail(campaign, 'HTTP 503: "<script>"')
    fail(campaign, "HTTP 500: 'x'")
    fail(None, "beta", kind="write")
    text = text_of(viewer.get(PAGE))
    assert "HTTP &lt;n&gt;: &lt;text&gt;</a>" in text
    assert f">Lead {job.lead_id}</a>" in text
    assert f"job {job.pk}</a> of &lt;b&gt;CTOs&lt;/b&gt;" in text
    assert "beta" in text
    assert "beta" not in text_of(viewer.get(PAGE, {"service": "millionverifier"}))
    assert "beta" not in text_of(viewer.get(PAGE, {"campaign": campaign.pk}))
    assert "There is no campaign 4711: this is all of them." in text_of(viewer.get(PAGE, {"campaign": "4711"}))
    assert viewer.get(PAGE, {"campaign": "\u0664" * 20, "page": "x", "service": "<"}).status_code == 200


def test_a_campaign_with_failed_leads_leads_there(viewer: Client) -> None:
    job = fail()
    text = text_of(viewer.get(f"/admin/campaigns/campaign/{job.campaign_id}/change/"))
    assert f'href="{PAGE}?campaign={job.campaign_id}"> See why 1 lead failed</a>' in text


def test_pages_follow_each_other_and_an_empty_one_says_what_to_do(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Nothing has failed for good." in text_of(viewer.get(PAGE))
    assert "Show all that failed" in text_of(viewer.get(PAGE, {"service": "apollo"}))
    for letter in "abcdefghijklmnopqrstuvwxyzäöü":
        fail(error=f"word {letter}")
    first = text_of(viewer.get(PAGE))
    following = re.search(r'href="\?(service=&amp;campaign=&amp;page=2)"', first)
    assert following
    second = text_of(viewer.get(f"{PAGE}?{following[1].replace('&amp;', '&')}"))
    assert (first.count("word "), second.count("word ")) == (25, 4)
    assert "page=1" in second


def test_a_group_shows_its_dry_run_and_buttons_to_those_who_may(operator: Client, viewer: Client) -> None:
    fail(make_campaign("CANCELLED"))
    fail()
    address = f"{PAGE}{the_group().key}/"
    text = text_of(operator.get(address))
    assert 'A retry puts back</span> <span class="hf-grow">1 failure</span>' in text
    assert "1: their campaign was cancelled" in text
    assert 'A drop ends</span> <span class="hf-grow">2 failures, $0.00 sunk</span>' in text
    assert "Retry 1…" in text
    assert "Drop 2…" in text
    text = text_of(viewer.get(address))
    assert "Retry 1…" not in text
    assert "An operator can retry or drop them." in text
    assert not Event.objects.filter(subject_type="failures").exists()


def test_what_the_vendor_called_invalid_is_retried_by_a_link_that_says_so(operator: Client) -> None:
    fail(error="unknown field", failure_type="invalid_request")
    address = f"{PAGE}{the_group().key}/"
    page = operator.get(address)
    assert "Retry 1…" not in text_of(page)
    assert 'href="?mended=1"' in text_of(page)
    token = token_on(operator.get(address, {"mended": "1"}))
    assert "Yes: retry them" in text_of(press(operator, "retry", token))
    assert "1 failure put back, in 1 campaign." in text_of(press(operator, "retry", token, confirmed="1"))


def test_a_retry_is_asked_for_confirmed_and_done_once(operator: Client) -> None:
    job = fail()
    token = token_on(operator.get(f"{PAGE}{the_group().key}/"))
    asked = press(operator, "retry", token)
    assert "Retry: HTTP &lt;n&gt; for &lt;id&gt;?" in text_of(asked)
    assert JobRow.objects.get(pk=job.pk).status == "FAILED"
    done = press(operator, "retry", token_on(asked), confirmed="1")
    assert "1 failure put back, in 1 campaign." in text_of(done)
    assert "Nothing has failed for good." in text_of(done)
    assert JobRow.objects.get(pk=job.pk).status == "PENDING"
    again = text_of(press(operator, "retry", token, confirmed="1"))
    assert "Refused: Nothing was done: these failures are gone" in again
    event = Event.objects.get(subject_type="failures")
    assert (event.actor, event.door, event.reason) == ("operator", "admin", ORDER["reason"])


def test_a_drop_says_what_it_leaves(operator: Client) -> None:
    make_job(make_campaign(), kind="prepare", status="FAILED", error="no", failure_type="server_error")
    make_job(make_campaign("COMPLETED"), kind="prepare", status="FAILED", error="no", failure_type="server_error")
    token = token_on(operator.get(f"{PAGE}{the_group().key}/"))
    text = text_of(press(operator, "drop", token, confirmed="1"))
    assert "1 failure dropped, in 1 campaign." in text
    assert "1 skipped (1: every push of their campaign waits for its target" in text


def test_an_old_plan_leads_back_to_the_page_with_the_new_figures(operator: Client) -> None:
    fail()
    token = token_on(operator.get(f"{PAGE}{the_group().key}/"))
    fail()
    for confirmed in ("", "1"):
        answer = press(operator, "drop", token, confirmed=confirmed)
        assert answer.redirect_chain[-1][0] == f"{PAGE}{the_group().key}/"
        assert "1 failures were shown, and other ones are there now. 2 failures in 2 campaigns." in text_of(answer)
    assert the_group().count == 2
    assert "A reason is needed" in text_of(press(operator, "drop", token, reason=" "))
    assert "This is no plan" in text_of(press(operator, "drop", "x"))


def test_pages_and_verbs_are_for_those_who_may(viewer: Client, operator: Client) -> None:
    fail()
    key = the_group().key
    token = token_on(operator.get(f"{PAGE}{key}/"))
    nobody = client_of(None)
    for address in (PAGE, f"{PAGE}{key}/", f"{PAGE}{key}/leads.csv"):
        assert nobody.get(address).status_code == 403
        assert viewer.get(address).status_code == 200
        assert viewer.post(address).status_code == 405
    for verb in ("retry", "drop"):
        assert viewer.post(f"{PAGE}{verb}/", {"token": token, "confirmed": "1", **ORDER}).status_code == 403
        assert viewer.get(f"{PAGE}{verb}/").status_code == 405
        out = Client().post(f"{PAGE}{verb}/", {"token": token, "confirmed": "1", **ORDER})
        assert out["Location"] == f"/admin/login/?next={PAGE}"
    assert the_group().count == 1
    gone = viewer.get(f"{PAGE}{uuid.uuid4()}/", follow=True)
    assert "Nothing fails in this way any more" in text_of(gone)
    assert f'href="{PAGE}"' in viewer.get("/admin/").content.decode()


def test_the_leads_of_a_group_are_a_file_that_the_import_reads(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from campaigns.failures import exporting
    from campaigns.leads.importing import import_csv
    from tests.breakers import ANN

    monkeypatch.setattr(exporting, "BATCH", 2)
    campaigns = [make_campaign(), make_campaign()]
    made = [fail(campaigns[n % 2], f"HTTP 50{n}") for n in range(5)]
    Lead.objects.filter(job_rows=made[0]).update(first_name="=cmd()")
    make_job(make_campaign(), kind="find", status="FAILED", failure_type="server_error", error="HTTP 500")
    key = the_group(service="millionverifier").key
    answer = viewer.get(f"{PAGE}{key}/leads.csv")
    assert "attachment" in answer["Content-Disposition"]
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [int(row["Lead Id"]) for row in rows] == [job.lead_id for job in made]
    assert rows[0]["First Name"] == "'=cmd()"
    one = viewer.get(f"{PAGE}{key}/leads.csv", {"campaign": campaigns[1].pk})
    assert len(b"".join(one.streaming_content).splitlines()) == 3  # type: ignore[attr-defined]
    fresh: Campaign = make_campaign("CREATED")
    assert import_csv(fresh, io.BytesIO(content), actor=ANN).taken == 5
