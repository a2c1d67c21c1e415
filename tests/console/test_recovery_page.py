"""The recovery page and its verbs: permissions, reasons, refusals in place, the numbers repeated before a resume."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from campaigns.models import Campaign, Process
from circuitbreakers import breaker, switch
from circuitbreakers.models import Event, QueuePause
from tests.breakers import ANN, reset, trip
from tests.builders import make_campaign, make_fleet, make_job
from tests.stores import away

PAGE = "/admin/recovery/"
RESUME = "/admin/recovery/resume/"


def a_system_pause(jobs: int = 3) -> Campaign:
    make_fleet()
    campaign = make_campaign()
    for _ in range(jobs):
        make_job(campaign)
    trip()
    return campaign


def is_unfolded(page: str, section: str) -> bool:
    """Whether a section of the page is open."""
    (tag,) = re.findall(f'<details class="hf-panel" id="{section}"[^>]*>', page)
    return tag.endswith(" open>")


def act(client: Client, verb: str, service: str = "apollo", **data: Any) -> Any:
    return client.post(f"{PAGE}{verb}/{service}/", data, follow=True)


def test_a_reset_closes_the_breaker_and_says_what_is_next(operator: Client) -> None:
    a_system_pause()
    answer = act(operator, "reset", reason="mended")
    assert switch.read("apollo").state == "closed"
    assert "resume it when all are closed" in answer.content.decode()
    assert Event.objects.get(subject_type="breaker", verb="reset").door == "admin"


def test_hold_needs_a_reason_and_release_leaves_it_open(operator: Client) -> None:
    make_campaign()
    assert "A reason is needed" in act(operator, "hold").content.decode()
    assert switch.read("apollo").state == "closed"
    act(operator, "hold", reason="a migration")
    assert switch.read("apollo").held
    act(operator, "release")
    state = switch.read("apollo")
    assert (state.state, state.held) == ("open", False)


def test_a_held_breaker_cannot_be_reset(operator: Client) -> None:
    breaker.hold("apollo", actor=ANN, reason="a migration")
    assert "is held: a migration" in act(operator, "reset", reason="now").content.decode()


def test_an_operators_pause_is_set_and_lifted(operator: Client) -> None:
    act(operator, "pause", "openai", reason="prompt under review")
    assert QueuePause.objects.get(ended_at=None).key == "operator:openai"
    act(operator, "lift", "openai")
    assert not QueuePause.objects.filter(ended_at=None).exists()


@pytest.mark.parametrize("verb", ["probe", "reset", "hold", "release", "pause", "lift"])
def test_a_viewer_is_refused_every_verb(viewer: Client, verb: str) -> None:
    assert act(viewer, verb, reason="let me").status_code == 403


@pytest.mark.parametrize("address", [f"{PAGE}reset/apollo/", RESUME])
def test_a_link_changes_nothing(operator: Client, address: str) -> None:
    trip()
    assert operator.get(address).status_code == 405
    assert switch.read("apollo").state == "open"


def test_another_site_cannot_press_the_buttons() -> None:
    from tests.console.conftest import client_of

    client = client_of("Operator", "olga")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    trip()
    assert strict.post(f"{PAGE}reset/apollo/", {"reason": "x"}).status_code == 403


@pytest.mark.parametrize("path", ["reset/foo/", "explode/apollo/", "reset/all/"])
def test_an_unknown_verb_or_service_is_not_found(operator: Client, path: str) -> None:
    assert operator.post(f"{PAGE}{path}", {"reason": "x"}).status_code == 404


def test_a_resume_that_is_refused_says_in_place_what_is_missing(operator: Client) -> None:
    a_system_pause()
    answer = operator.post(RESUME, {"reason": "too early"}, follow=True)
    # At the page's own address, which a reload asks for again without resuming, and where the refusal stands.
    assert answer.redirect_chain == [(f"{PAGE}#resume", 302)]
    text = answer.content.decode()
    assert is_unfolded(text, "resume")
    assert "Refused: Cannot resume queue: Circuit breakers still open for: apollo (open)" in text
    assert 'id="live-plan"' in text


def test_what_is_to_be_done_is_unfolded_and_what_is_fine_is_not(operator: Client) -> None:
    sections = ("broke", "breakers", "plan", "resume", "queue")

    def unfolded() -> set[str]:
        page = operator.get(PAGE).content.decode()
        return {section for section in sections if is_unfolded(page, section)}

    make_fleet()
    assert unfolded() == set()
    a_system_pause()
    assert unfolded() == {"breakers"}
    page = operator.get(PAGE).content.decode()
    # Apollo alone, the others in one fold.
    assert page.index('id="apollo"') < page.index('<details class="hf-fine">') < page.index('id="openai"')
    assert is_unfolded(act(operator, "reset", reason="mended").content.decode(), "breakers")
    assert unfolded() == {"resume"}


def test_what_lacks_a_prerequisite_unfolds_the_plan(operator: Client) -> None:
    a_system_pause()
    reset()
    Process.objects.all().delete()
    page = operator.get(PAGE).content.decode()
    assert is_unfolded(page, "plan")
    assert not is_unfolded(page, "resume")


def test_who_is_signed_out_in_the_middle_comes_back_to_the_page_and_is_told(operator: Client) -> None:
    a_system_pause()
    operator.logout()
    answer = operator.post(f"{PAGE}reset/apollo/", {"reason": "mended"})
    assert answer["Location"] == f"/admin/login/?next={PAGE}"
    assert switch.read("apollo").state == "open"
    operator.force_login(User.objects.get(username="operator"))
    assert "You were signed out, so nothing was done." in operator.get(PAGE).content.decode()


def test_a_form_from_before_the_login_says_what_to_do(operator: Client) -> None:
    a_system_pause()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies
    answer = strict.post(f"{PAGE}reset/apollo/", {"reason": "mended", "csrfmiddlewaretoken": "old"})
    assert answer.status_code == 403
    assert "Nothing was done: the form is older than your login" in answer.content.decode()


def test_a_viewer_who_presses_is_told_whom_to_ask(viewer: Client) -> None:
    answer = act(viewer, "hold", reason="let me")
    assert answer.status_code == 403
    assert "Nothing was done: your role may look, but not do this." in answer.content.decode()


def test_a_resume_asks_first_and_repeats_the_numbers(operator: Client) -> None:
    campaign = a_system_pause(jobs=3)
    reset()
    text = operator.post(RESUME, {"reason": "all well"}).content.decode()
    assert "1 campaign and 3 jobs" in text
    campaign.refresh_from_db()
    assert campaign.status == "PAUSED"


def test_a_confirmed_resume_brings_campaigns_back(operator: Client) -> None:
    campaign = a_system_pause(jobs=3)
    reset()
    answer = operator.post(RESUME, {"reason": "all well", "confirmed": "1"}, follow=True)
    assert "Queue resumed successfully: 3 jobs and 1 campaigns resumed" in answer.content.decode()
    campaign.refresh_from_db()
    assert campaign.status == "RUNNING"
    assert Event.objects.get(subject_type="queue", verb="resumed").actor == "operator"


def test_a_resume_without_a_reason_is_refused(operator: Client) -> None:
    campaign = a_system_pause()
    reset()
    answer = operator.post(RESUME, {"confirmed": "1"}, follow=True)
    assert "A reason is needed" in answer.content.decode()
    campaign.refresh_from_db()
    assert campaign.status == "PAUSED"


def test_a_viewer_cannot_resume_and_sees_no_form(viewer: Client) -> None:
    a_system_pause()
    reset()
    assert viewer.post(RESUME, {"reason": "x", "confirmed": "1"}).status_code == 403
    assert "Resume queue &amp; all campaigns" not in viewer.get(PAGE).content.decode()


@pytest.mark.parametrize("page", ["dashboard", "recovery", ""])
def test_what_is_polled_holds_no_form(operator: Client, page: str) -> None:
    a_system_pause()
    text = operator.get(f"/admin/live/?page={page}").content.decode()
    assert "Paused since" in text
    assert "<form" not in text
    assert "<input" not in text


def test_without_redis_the_pages_open_and_say_so(viewer: Client, operator: Client) -> None:
    trip()
    with away("REDIS_SWITCH_URL"):
        for address in ("/admin/", PAGE):
            answer = viewer.get(address)
            assert answer.status_code == 200
            assert "Redis does not answer" in answer.content.decode()
        assert "Refused: Redis connection failed" in act(operator, "reset", reason="now").content.decode()
