"""The two-person rule: what one asks waits for another one, who confirms just that, and in time."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from campaigns import confirming, recovery
from circuitbreakers import breaker, confirmations, ramp_verbs, ramps, switch
from circuitbreakers.confirmations import ConfirmationRefused, SecondPersonNeeded
from circuitbreakers.events import Actor
from circuitbreakers.models import Confirmation, Event, Incident, Ramp
from tests import breakers
from tests.breakers import at_once, trip
from tests.builders import make_call, make_campaign, make_fleet, make_job, make_user

pytestmark = pytest.mark.django_db
API = "/api/v1/queue-management"
RESET = f"{API}/circuit-breakers/apollo/reset"


@pytest.fixture(autouse=True)
def rule(in_step: None, settings: Any) -> None:
    settings.TWO_PERSONS_FOR = ["forced-reset", "all-at-once"]


@pytest.fixture
def ann() -> User:
    return make_user("ann", "operator")


@pytest.fixture
def bob() -> User:
    return make_user("bob", "operator")


def actor(user: User) -> Actor:
    return Actor(user.username, "admin", user.pk)


def well(service: str = "apollo") -> None:
    """Reset the breaker after a probe that succeeds."""
    breaker.reset(service, actor=breakers.ANN, reason="it is well again")


def ask_for_reset(user: User) -> Confirmation:
    with pytest.raises(SecondPersonNeeded, match="Somebody else must confirm"):
        breaker.reset("apollo", actor=actor(user), reason="it is well", force=True)
    return Confirmation.objects.latest("id")


def a_paused_system(calls: str = "0.10") -> None:
    """One campaign with a paused job and a known price of each service, ready to be resumed."""
    make_fleet()
    campaign = make_campaign("RUNNING")
    make_job(campaign, "verify")
    for kind in ("reveal", "verify", "research", "write", "push"):
        make_call(make_job(make_campaign("COMPLETED"), kind, "COMPLETED"), cost_usd=Decimal(calls))
    trip()
    well()


def ask_for_resume(user: User, **options: Any) -> Confirmation:
    with pytest.raises(SecondPersonNeeded):
        recovery.resume(actor=actor(user), reason="mended", **options)
    return Confirmation.objects.latest("id")


# --- forced reset -----------------------------------------------------------------------------------------------------


def test_a_forced_reset_waits_for_a_second_person(ann: User, bob: User) -> None:
    trip()
    row = ask_for_reset(ann)
    assert switch.read("apollo").state == "open"
    assert confirming.confirm(row, actor=actor(bob)) == "The apollo breaker is reset by force."
    assert switch.read("apollo").state == "closed"
    assert Incident.objects.get().reset_by == "bob"
    verbs = list(Event.objects.filter(subject_type="confirmation").order_by("id").values_list("verb", "actor"))
    assert verbs == [("asked", "ann"), ("confirmed", "bob")]


def test_nobody_is_their_own_second_person(ann: User) -> None:
    trip()
    row = ask_for_reset(ann)
    User.objects.filter(pk=ann.pk).update(username="bob")  # another name is not another person
    ann.refresh_from_db()
    with pytest.raises(ConfirmationRefused, match="yourself"):
        confirming.confirm(row, actor=actor(ann))
    assert switch.read("apollo").state == "open"


def test_the_break_glass_login_is_no_second_person(ann: User, bob: User, settings: Any) -> None:
    settings.BREAK_GLASS_USER = "bob"
    trip()
    with pytest.raises(ConfirmationRefused, match="break-glass"):
        confirming.confirm(ask_for_reset(ann), actor=actor(bob))


def test_what_is_too_old_cannot_be_confirmed(ann: User, bob: User) -> None:
    trip()
    row = ask_for_reset(ann)
    Confirmation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(ConfirmationRefused, match="too old"):
        confirming.confirm(row, actor=actor(bob))
    assert switch.read("apollo").state == "open"


def test_a_confirmation_is_of_one_use(ann: User, bob: User) -> None:
    trip()
    row = ask_for_reset(ann)
    confirming.confirm(row, actor=actor(bob))
    trip()
    with pytest.raises(ConfirmationRefused, match="no longer waits"):
        confirming.confirm(row, actor=actor(bob))


@pytest.mark.django_db(transaction=True)
def test_of_two_who_confirm_at_once_one_does_it(ann: User, bob: User) -> None:
    trip()
    row, third = ask_for_reset(ann), make_user("cem", "operator")

    def confirm(user: User) -> str:
        try:
            return confirming.confirm(row, actor=actor(user))
        except ConfirmationRefused as refused:
            return str(refused)

    answers = sorted(at_once(lambda: confirm(bob), lambda: confirm(third)))
    assert answers[0].startswith("It no longer waits")
    assert answers[1] == "The apollo breaker is reset by force."
    assert Event.objects.filter(subject_type="confirmation", verb="confirmed").count() == 1


def test_a_reset_is_bound_to_the_opening_that_was_seen(ann: User, bob: User) -> None:
    trip()
    row = ask_for_reset(ann)
    breaker.reset("apollo", actor=breakers.ANN, reason="x", force=True, confirmed=Confirmation(shown=row.shown))
    trip()
    with pytest.raises(ConfirmationRefused, match="opened again"):
        confirming.confirm(row, actor=actor(bob))
    assert switch.read("apollo").state == "open"
    row.refresh_from_db()
    assert row.ended_how == "refused"


def test_who_asked_must_still_be_allowed_to(ann: User, bob: User) -> None:
    trip()
    row = ask_for_reset(ann)
    ann.groups.clear()
    with pytest.raises(ConfirmationRefused, match="ann may no longer"):
        confirming.confirm(row, actor=actor(bob))


def test_asking_again_takes_ones_older_order_back(ann: User) -> None:
    trip()
    older = ask_for_reset(ann)
    ask_for_reset(ann)
    older.refresh_from_db()
    assert older.ended_how == "withdrawn"
    assert confirmations.waiting().count() == 1


def test_without_the_rule_one_person_is_enough(ann: User, settings: Any) -> None:
    settings.TWO_PERSONS_FOR = []
    trip()
    assert breaker.reset("apollo", actor=actor(ann), reason="it is well", force=True)
    assert not Confirmation.objects.exists()


def test_a_reset_whose_probe_succeeds_needs_nobody_else(ann: User, probes_succeed: None) -> None:
    trip()
    assert breaker.reset("apollo", actor=actor(ann), reason="it is well")


# --- resume -----------------------------------------------------------------------------------------------------------


def test_a_resume_all_at_once_waits_for_a_second_person(ann: User, bob: User, probes_succeed: None) -> None:
    a_paused_system()
    row = ask_for_resume(ann, all_at_once=True)
    assert switch.read_all().queue["apollo"] == "PAUSED"
    assert "1 campaigns resumed" in confirming.confirm(row, actor=actor(bob))
    assert switch.read_all().gates["apollo"].stage.full


def test_a_resume_with_its_steps_needs_nobody_else(ann: User, probes_succeed: None) -> None:
    a_paused_system()
    assert recovery.resume(actor=actor(ann), reason="mended").campaigns_resumed == 1


def test_the_rest_of_a_ramp_cannot_be_skipped_alone(ann: User, bob: User, probes_succeed: None) -> None:
    a_paused_system()
    recovery.resume(actor=actor(ann), reason="mended")
    assert Ramp.objects.get(ended_at=None).stage < ramps.FULL
    with pytest.raises(SecondPersonNeeded):
        ramp_verbs.all_at_once("apollo", actor=actor(ann), reason="hurry")
    assert confirming.confirm(Confirmation.objects.get(), actor=actor(bob)) == "apollo is at full speed."


def test_a_resume_above_the_limit_waits_and_one_below_does_not(
    ann: User, bob: User, settings: Any, probes_succeed: None
) -> None:
    a_paused_system("0.10")
    settings.TWO_PERSONS_ABOVE_USD = 0.2  # it needs four calls for $0.40
    row = ask_for_resume(ann)
    assert (row.shown["cost_usd"], row.shown["campaigns"]) == ("0.40", 1)
    assert "about $0.40, above $0.20" in row.why
    settings.TWO_PERSONS_ABOVE_USD = 0.4
    assert recovery.resume(actor=actor(ann), reason="mended").campaigns_resumed == 1


def test_a_cost_that_nobody_knows_is_above_every_limit(ann: User, settings: Any, probes_succeed: None) -> None:
    make_fleet()
    make_job(make_campaign("RUNNING"), "verify")
    trip()
    well()
    settings.TWO_PERSONS_ABOVE_USD = 1_000_000
    assert "whose cost nobody knows" in ask_for_resume(ann).why


def test_a_resume_for_more_than_was_shown_is_refused(ann: User, bob: User, probes_succeed: None) -> None:
    a_paused_system()
    row = ask_for_resume(ann, all_at_once=True)
    make_job(make_campaign("PAUSED"), "verify")
    with pytest.raises(ConfirmationRefused, match="2 campaigns, where 1 were shown"):
        confirming.confirm(row, actor=actor(bob))
    assert switch.read_all().queue["apollo"] == "PAUSED"


def test_a_resume_is_bound_to_the_breakers_that_were_seen(ann: User, bob: User, probes_succeed: None) -> None:
    a_paused_system()
    row = ask_for_resume(ann, all_at_once=True)
    trip("openai")
    well("openai")
    with pytest.raises(ConfirmationRefused, match="a breaker has moved since"):
        confirming.confirm(row, actor=actor(bob))


# --- the doors --------------------------------------------------------------------------------------------------------


def api_client(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def test_the_api_asks_lists_and_confirms(ann: User, bob: User) -> None:
    trip()
    asked = api_client(ann).post(RESET, {"force": True, "reason": "it is well"})
    assert asked.status_code == 409
    assert "Somebody else must confirm" in asked.json()["detail"]
    (row,) = api_client(bob).get(f"{API}/confirmations").json()["data"]["results"]
    assert (row["act"], row["service"], row["asked_by"]) == ("forced-reset", "apollo", "ann")
    assert api_client(ann).post(f"{API}/confirmations/{row['id']}/confirm").status_code == 409
    viewer = api_client(make_user("vera", "viewer"))
    assert viewer.post(f"{API}/confirmations/{row['id']}/confirm").status_code == 403
    assert api_client(bob).post(f"{API}/confirmations/{row['id']}/confirm").status_code == 200
    assert switch.read("apollo").state == "closed"


def test_the_api_asks_for_a_resume_and_for_full_speed(ann: User, probes_succeed: None) -> None:
    a_paused_system()
    body = {"all_at_once": True, "reason": "hurry"}
    assert api_client(ann).post(f"{API}/resume-queue", body).status_code == 409
    recovery.resume(actor=actor(ann), reason="mended")
    ramp = api_client(ann).post(f"{API}/circuit-breakers/apollo/ramp", {"move": "all_at_once", "reason": "hurry"})
    assert ramp.status_code == 409
    assert Confirmation.objects.count() == 2


def test_the_api_takes_ones_own_back(ann: User, bob: User) -> None:
    trip()
    row = ask_for_reset(ann)
    assert api_client(ann).post(f"{API}/confirmations/{row.pk}/decline").status_code == 200
    row.refresh_from_db()
    assert (row.ended_how, row.ended_by) == ("withdrawn", "ann")
    assert api_client(bob).post(f"{API}/confirmations/{row.pk}/confirm").status_code == 409


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("breaker", ("reset", "apollo", "--force", "--reason", "it is well")),
        ("queue", ("resume", "--all-at-once", "--reason", "hurry")),
    ],
)
def test_a_command_is_no_person_and_says_where_to_ask(
    command: str, arguments: tuple[str, ...], probes_succeed: None
) -> None:
    if command == "queue":
        a_paused_system()
    else:
        trip()
    with pytest.raises(CommandError, match=r"two persons who are signed in.*console or through the API") as refused:
        call_command(command, *arguments, "--actor", "bob")
    assert refused.value.returncode == 1
    assert not Confirmation.objects.exists()
    assert switch.read_all().queue["apollo"] == "PAUSED"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_the_page_shows_what_waits_and_who_may_confirm(ann: User, bob: User) -> None:
    trip()
    mine, theirs = signed_in(ann), signed_in(bob)
    asked = mine.post("/admin/recovery/reset/apollo/", {"force": "1", "reason": "it is well"}, follow=True)
    assert "Somebody else must confirm" in asked.content.decode()
    assert "1 waiting for a second person" in asked.content.decode()
    page = "/admin/recovery/second-person/"
    assert "You asked for this: somebody else must confirm it." in mine.get(page).content.decode()
    assert "Confirm: Reset Apollo by force" in theirs.get(page).content.decode()
    row = Confirmation.objects.get()
    done = theirs.post(f"{page}{row.pk}/confirm/", follow=True)
    assert "reset by force" in done.content.decode()
    assert switch.read("apollo").state == "closed"


def test_a_viewer_sees_the_page_and_confirms_nothing(ann: User) -> None:
    trip()
    row = ask_for_reset(ann)
    vera = signed_in(make_user("vera", "viewer"))
    assert "Your role may look" in vera.get("/admin/recovery/second-person/").content.decode()
    assert vera.post(f"/admin/recovery/second-person/{row.pk}/confirm/").status_code == 403


def test_the_console_asks_for_a_resume_all_at_once(ann: User, bob: User, probes_succeed: None) -> None:
    a_paused_system()
    form = {"reason": "hurry", "confirmed": "1", "all_at_once": "1"}
    asked = signed_in(ann).post("/admin/recovery/resume/", form, follow=True)
    assert asked.redirect_chain[-1][0] == "/admin/recovery/second-person/"
    row = Confirmation.objects.get()
    answer = signed_in(bob).post(f"/admin/recovery/second-person/{row.pk}/decline/", {"reason": "no"}, follow=True)
    assert "Nothing was done" in answer.content.decode()
    row.refresh_from_db()
    assert (row.ended_how, row.ended_by) == ("declined", "bob")
