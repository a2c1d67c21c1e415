"""The commands: exit statuses, what they print for people and for programs, and who did it."""

from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from campaigns.models import Campaign, OutlookReading
from circuitbreakers import gate, pauses, switch
from circuitbreakers.models import Event
from circuitbreakers.services import SERVICES
from circuitbreakers.storable import length_of
from tests.breakers import ANN, answer_probes, queue, reset, trip
from tests.builders import make_campaign, make_fleet, make_job, make_lead
from tests.stores import away

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]
LONGEST_REASON = length_of(Event, "reason") or 0


def the_event(**details: Any) -> Event:
    return Event.objects.get(**details)


def paused_by_a_trip() -> Campaign:
    campaign = make_campaign()
    make_job(campaign)
    make_fleet()
    trip()
    return campaign


# --- the whole story --------------------------------------------------------------------------------------------------


def test_an_operator_resets_and_resumes(manage: Any) -> None:
    campaign = paused_by_a_trip()
    answer_probes()
    refused = manage("queue", "resume")
    assert refused.status == 1
    assert "Cannot resume queue: Circuit breakers still open for: apollo (open)" in refused.err
    done = manage("breaker", "reset", "apollo", "--reason", "new key", "--actor", "olga")
    assert done.status == 0
    assert done.out.splitlines()[0] == "Circuit breaker reset for apollo - service manually resumed"
    assert set(queue().values()) == {"PAUSED"}
    done = manage("queue", "resume", "--reason", "all well", "--actor", "olga", "--json")
    assert done.status == 0
    assert done.data["message"] == "Queue resumed successfully: 1 jobs and 1 campaigns resumed"
    assert (done.data["queue_resumed"], done.data["services_resumed"]) == (True, list(SERVICES))
    campaign.refresh_from_db()
    assert campaign.status == "RUNNING"
    for details in ({"subject_type": "breaker", "verb": "reset"}, {"subject_type": "queue", "verb": "resumed"}):
        assert (the_event(**details).actor, the_event(**details).door) == ("olga", "command")
    assert the_event(subject_type="breaker", verb="reset").reason == "new key"
    assert the_event(subject_type="campaign", verb="resumed").reason == "all well"
    assert manage("breaker", "reset", "apollo", "--json").data["changed"] is False


def test_the_actor_is_the_shells_user_unless_said_otherwise(manage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "bob")
    assert manage("queue", "pause", "openai", "--reason", "new prompt").status == 0
    assert the_event(verb="paused").actor == "bob"


# --- wrong usage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("queue",),
        ("queue", "explode"),
        ("queue", "pause"),
        ("queue", "pause", "foo"),
        ("queue", "pause", "openai", "--all"),
        ("queue", "resume", "foo"),
        ("queue", "resume", "openai", "--all"),
        ("breaker", "reset"),
        ("breaker", "reset", "foo"),
        ("breaker", "probe", "foo"),
        ("breaker", "hold", "foo", "--reason", "x"),
        ("breaker", "hold", "apollo"),
        ("breaker", "hold", "apollo", "--reason", " "),
        ("breaker", "release", "foo"),
        ("campaign", "export", 1, "--json"),
        ("breaker", "hold", "apollo", "--reason", "x", "--remind-at", "soon"),
        ("campaign", "start", "first"),
        ("campaign", "create"),
        ("campaign", "create", "A", "--max-leads", "0"),
        ("campaign", "create", "A", "--first", "10"),
        ("campaign", "start", 1, "--first", "0"),
        ("campaign", "start", 1, "--first", "101"),
        ("campaign", "start", 1, "--first", "ten"),
        ("campaign", "create", "A", "--csv", "a.csv", "--apollo-url", "https://app.apollo.io/#/people"),
        ("campaign", "create", "A", "--apollo-url", "https://example.com/"),
    ],
)
def test_wrong_usage_ends_with_2_and_changes_nothing(manage: Any, arguments: tuple[str, ...]) -> None:
    ran = manage(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err
    assert "Traceback" not in ran.err
    assert not Event.objects.exclude(actor="supervisor").exists()


def test_an_unknown_service_is_named_with_the_five_there_are(manage: Any) -> None:
    text = (
        "Invalid service name: foo. Valid services: ['apollo', 'millionverifier', 'perplexity', 'openai', 'instantly']"
    )
    for name, verb in (("breaker", "reset"), ("breaker", "probe"), ("queue", "pause"), ("queue", "resume")):
        assert text in manage(name, verb, "foo").err


@pytest.mark.parametrize("name", ["x" * 151, "olga\x00", "olga\n", "olga\udcff"])
def test_an_actor_whom_postgresql_would_refuse_ends_with_2_and_nothing_is_reset(manage: Any, name: str) -> None:
    trip()
    answer_probes()
    before = Event.objects.count()
    ran = manage("breaker", "reset", "apollo", "--actor", name)
    assert (ran.status, ran.out, "actor" in ran.err) == (2, "", True)
    assert switch.read("apollo").state == "open"
    assert Event.objects.count() == before


def test_a_reason_that_is_no_text_ends_with_2(manage: Any) -> None:
    ran = manage("queue", "pause", "openai", "--reason", "caf\udce9")
    assert (ran.status, ran.err.strip()) == (2, "CommandError: The reason is not UTF-8.")
    assert queue()["openai"] == "ACTIVE"


@pytest.mark.parametrize(
    "arguments",
    [
        ("breaker", "hold", "apollo"),
        ("queue", "pause", "openai"),
        ("queue", "resume"),
        ("campaign", "create", "Autumn"),
    ],
)
def test_a_reason_that_no_column_holds_ends_with_2_and_changes_nothing(manage: Any, arguments: tuple[str, ...]) -> None:
    ran = manage(*arguments, "--reason", "ö" * (LONGEST_REASON + 1))
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.strip() == "CommandError: A reason has at most 500 characters; this one has 501."
    assert set(queue().values()) == {"ACTIVE"}
    assert not Campaign.objects.exists()
    assert not Event.objects.exclude(actor="supervisor").exists()


def test_a_reason_as_long_as_its_column_is_kept_whole(manage: Any) -> None:
    reason = "ö" * LONGEST_REASON
    assert manage("queue", "pause", "openai", "--reason", reason).status == 0
    assert the_event(verb="paused").reason == reason


def test_an_actor_of_150_characters_is_kept_whole(manage: Any) -> None:
    name = "ö" * 150
    assert manage("queue", "pause", "openai", "--actor", name, "--reason", "x").status == 0
    assert Event.objects.filter(actor=name).exists()


# --- whom it may call -------------------------------------------------------------------------------------------------


@pytest.fixture
def live(settings: Any) -> Any:
    """Live mode in order, but for what a test says of one vendor."""
    settings.MODE = "live"
    vendors = {
        service: {**vendor, "api_key": "a-key", "base_url": f"https://api.{service}.example"}
        for service, vendor in settings.VENDORS.items()
    }

    def but(service: str, **details: str) -> None:
        settings.VENDORS = {**vendors, service: {**vendors[service], **details}}

    return but


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"base_url": "http://127.0.0.1:8090/openai/v1"}, "OPENAI_BASE_URL points at this machine."),
        ({"base_url": "http://api.openai.example"}, "OPENAI_BASE_URL is not https"),
        ({"api_key": ""}, "OPENAI_API_KEY is not set."),
    ],
)
def test_no_verb_runs_with_settings_that_live_mode_refuses(manage: Any, live: Any, wrong: Any, named: str) -> None:
    answer_probes()
    live("openai", **wrong)
    for arguments in (
        ("breaker", "probe", "openai"),
        ("queue", "resume"),
        ("campaign", "create", "Autumn"),
    ):
        ran = manage(*arguments)
        assert (ran.status, ran.out, named in ran.err) == (1, "", True), ran
    assert not Event.objects.exclude(actor="supervisor").exists()
    assert not Campaign.objects.exists()


def test_with_settings_in_order_live_verbs_run(manage: Any, live: Any) -> None:
    live("openai")
    assert manage("queue", "status", "--json").data["mode"] == "live"


def test_keys_are_checked_where_one_is_missing_but_never_at_a_loopback_address(
    manage: Any, live: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integrations.management.commands.vendors.check_all", list)
    live("openai", api_key="")
    assert manage("vendors", "check").status == 0
    live("openai", base_url="https://localhost./v1")
    ran = manage("vendors", "check")
    assert (ran.status, "OPENAI_BASE_URL points at this machine." in ran.err) == (1, True)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_what_the_state_forbids_ends_with_1(manage: Any) -> None:
    campaign = paused_by_a_trip()
    fresh = make_campaign("CREATED")
    make_lead(fresh)
    answer_probes(ok=False)
    for arguments, text in (
        (("campaign", "start", fresh.pk), "Circuit breakers are not closed: apollo (open)"),
        (("campaign", "start", campaign.pk), "was started already"),
        (("campaign", "resume", campaign.pk), "was paused by the system"),
        (("campaign", "start", 0), "does not exist"),
        (("campaign", "status", 0), "does not exist"),
        (("campaign", "import", fresh.pk, "/nowhere.csv"), "There is no file /nowhere.csv."),
        (("breaker", "reset", "apollo"), "The probe of apollo failed: HTTP 503"),
        (("breaker", "reset", "apollo", "--force"), "A reason is needed"),
        (("breaker", "probe", "apollo"), "The probe of apollo failed."),
        (("queue", "plan"), "Cannot resume queue: Circuit breakers still open for: apollo (open)"),
    ):
        ran = manage(*arguments)
        assert (ran.status, text in ran.err) == (1, True), (arguments, ran)
        assert "Traceback" not in ran.err


def test_without_redis_nothing_is_done_and_said_so(manage: Any) -> None:
    paused_by_a_trip()
    answer_probes()
    before = Event.objects.count()
    with away("REDIS_SWITCH_URL"):
        assert "Error resetting circuit breaker: Redis connection failed" in manage("breaker", "reset", "apollo").err
        for arguments in (
            ("breaker", "reset", "apollo"),
            ("breaker", "status"),
            ("breaker", "probe", "apollo"),
            ("queue", "status"),
            ("queue", "resume"),
            ("queue", "pause", "openai"),
            ("reconcile",),
        ):
            ran = manage(*arguments)
            assert (ran.status, ran.out) == (1, ""), arguments
            assert "Redis" in ran.err
            assert "Traceback" not in ran.err
    assert Event.objects.count() == before
    assert pauses.standing("operator:openai") is None


# --- queue ------------------------------------------------------------------------------------------------------------


def test_queue_status_shows_what_stands_still_and_why(manage: Any) -> None:
    paused_by_a_trip()
    pauses.pause("openai", actor=ANN, reason="new prompt")
    data = manage("queue", "status", "--json").data
    assert data["mode"] == "sandbox"
    assert data["queue"] == dict.fromkeys(SERVICES, "PAUSED")
    assert data["circuit_breakers"]["apollo"]["circuit_state"] == "open"
    assert (data["campaigns"], data["jobs"]) == ({"PAUSED": 1}, {"PAUSED": 1})
    assert data["paused_jobs"] == {"millionverifier": 1}
    assert [pause["key"] for pause in data["pauses"]] == ["system", "operator:openai"]
    shown = manage("queue", "status").out
    assert "Mode: SANDBOX" in shown
    assert "Campaigns: 1 PAUSED" in shown
    assert "(operator:openai): new prompt" in shown


def test_queue_plan_lists_every_prerequisite_and_how_to_mend_it(manage: Any) -> None:
    paused_by_a_trip()
    ran = manage("queue", "plan")
    assert ran.status == 1
    assert "FAIL  Circuit breakers still open for: apollo (open)" in ran.out
    assert "Probe and reset each of them" in ran.out
    assert ran.out.count("\npass  ") == 7
    reset()
    ran = manage("queue", "plan", "--json")
    assert (ran.status, ran.data["ready"], ran.data["campaigns"], ran.data["jobs"]) == (0, True, 1, 1)


def test_an_operators_pauses_are_made_and_lifted_one_by_one(manage: Any) -> None:
    assert manage("queue", "pause", "openai", "--reason", "x").out == "The queue of openai is paused.\n"
    assert manage("queue", "pause", "openai", "--reason", "x").out == "The queue of openai was paused already.\n"
    assert manage("queue", "pause", "--all", "--reason", "y").status == 0
    assert set(queue().values()) == {"PAUSED"}
    lifted = manage("queue", "resume", "--all", "--json").data
    assert (lifted["changed"], lifted["services_still_paused"]) == (True, ["openai"])
    assert manage("queue", "resume", "openai").out == "The operator's pause of openai is lifted.\n"
    assert manage("queue", "resume", "openai").out == "No operator's pause of openai stood.\n"
    assert set(queue().values()) == {"ACTIVE"}


# --- breaker ----------------------------------------------------------------------------------------------------------


def test_a_vendors_wait_is_shown_with_its_date_and_lifted(manage: Any) -> None:
    gate.record("openai", "rate_limit", "HTTP 429", retry_after=3600)
    until = switch.read_all().waits_until("openai")
    assert until is not None
    shown = f"{until:%Y-%m-%d %H:%M:%S}"
    assert f"openai asked us to wait until {shown} UTC" in manage("queue", "status").out
    assert shown in manage("breaker", "status").out
    assert manage("breaker", "lift-wait", "openai", "--reason", "x", "--json").data["changed"] is True
    assert shown not in manage("queue", "status").out
    assert manage("breaker", "lift-wait", "openai", "--json").data["changed"] is False


def test_breaker_status_shows_the_five(manage: Any) -> None:
    trip("openai")
    data = manage("breaker", "status", "--json").data
    assert list(data["breakers"]) == list(SERVICES)
    assert (data["breakers"]["openai"]["circuit_state"], data["breakers"]["openai"]["queue_paused"]) == ("open", True)
    shown = manage("breaker", "status").out
    assert "openai" in shown
    assert "open" in shown.split("openai")[1].splitlines()[0]


def test_breaker_hold_and_release(manage: Any) -> None:
    assert manage("breaker", "hold", "apollo", "--reason", "audit").out == "The apollo breaker is held open.\n"
    assert manage("breaker", "hold", "apollo", "--reason", "audit").out == "The apollo breaker was held already.\n"
    assert manage("breaker", "reset", "apollo").status == 1
    assert "stays open: reset it next" in manage("breaker", "release", "apollo").out
    assert switch.read("apollo").state == "open"
    assert manage("breaker", "release", "apollo").out == "The apollo breaker was not held.\n"


def test_a_probe_is_on_record_with_its_actor(manage: Any) -> None:
    answer_probes()
    assert manage("breaker", "probe", "apollo", "--actor", "olga", "--reason", "status page is green").status == 0
    assert the_event(verb="probed").actor == "olga"


# --- campaign ---------------------------------------------------------------------------------------------------------


def test_a_campaign_from_file_to_cancellation(manage: Any, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("First Name,Email\nIda,ida@acme.example\nOtto,nobody\n")
    made = manage("campaign", "create", "Autumn", "--csv", people, "--start", "--actor", "olga", "--json").data
    assert (made["status"], made["import"]["taken"], sum(made["import"]["skipped"].values())) == ("RUNNING", 1, 1)
    pk = made["id"]
    assert manage("campaign", "pause", pk, "--reason", "typo", "--actor", "olga").out == (
        f"Campaign {pk} is PAUSED. Paused by olga: typo\n"
    )
    assert manage("campaign", "resume", pk, "--json", "--actor", "olga").data == {
        "id": pk, "status": "RUNNING", "status_message": "Campaign resumed by olga"
    }  # fmt: skip
    assert manage("campaign", "import", pk, people, "--json").data["taken"] == 0
    assert manage("campaign", "retry-failed", pk, "--json").data == {"id": pk, "jobs": 0}
    shown = manage("campaign", "status", pk).out
    assert f"Campaign {pk} (Autumn) is RUNNING." in shown
    assert "leads: 1 OPEN" in shown
    export = tmp_path / "out.csv"
    assert manage("campaign", "export", pk, export).out == f"1 leads written to {export}\n"
    assert b"ida@acme.example" in export.read_bytes()
    assert manage("campaign", "cancel", pk, "--reason", "done").status == 0
    verbs = Event.objects.filter(subject_type="campaign", subject_id=str(pk)).order_by("id")
    assert list(verbs.values_list("verb", flat=True)) == [
        *("created", "leads_imported", "started", "paused", "resumed", "leads_imported", "cancelled")
    ]
    assert {event.door for event in verbs} == {"command"}


def test_a_campaign_whose_file_is_refused_is_never_made(manage: Any, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("First Name\nIda\n")
    ran = manage("campaign", "create", "Autumn", "--csv", people, "--start")
    assert ran.status == 1
    assert "No column holds e-mail addresses" in ran.err
    assert not Campaign.objects.exists()
    assert not Event.objects.filter(subject_type="campaign").exists()


def test_the_reason_of_a_creation_and_of_an_import_is_on_record(manage: Any, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("Email\nida@acme.example\n")
    pk = manage("campaign", "create", "Autumn", "--csv", people, "--reason", "fair", "--json").data["id"]
    assert manage("campaign", "import", pk, people, "--reason", "second day").status == 0
    rows = Event.objects.filter(subject_type="campaign", subject_id=str(pk)).order_by("id")
    assert list(rows.values_list("verb", "reason")) == [
        ("created", "fair"),
        ("leads_imported", "fair"),
        ("leads_imported", "second day"),
    ]


def test_a_file_that_cannot_be_written_or_read_is_a_refusal(manage: Any, tmp_path: Path) -> None:
    people, folder, nowhere = tmp_path / "people.csv", tmp_path / "folder", tmp_path / "none" / "out.csv"
    people.write_text("Email\nida@acme.example\nnobody\n")
    folder.mkdir()
    pk = make_campaign("CREATED").pk
    for arguments, said in (
        (("import", pk, people, "--skipped", nowhere), f"{nowhere}: No such file or directory."),
        (("import", pk, people, "--skipped", folder), f"{folder}: Is a directory."),
        (("export", pk, nowhere), f"{nowhere}: No such file or directory."),
        (("export", pk, folder), f"{folder}: Is a directory."),
    ):
        ran = manage("campaign", *arguments)
        assert (ran.status, ran.out, ran.err.strip()) == (1, "", f"CommandError: {said}")
    assert not Event.objects.filter(verb="leads_imported").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "people.csv"]


def test_the_skipped_rows_are_not_written_over_the_leads(manage: Any, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("Email\nida@acme.example\n")
    ran = manage("campaign", "import", make_campaign("CREATED").pk, people, "--skipped", people)
    assert (ran.status, "--skipped" in ran.err) == (2, True)
    assert people.read_text() == "Email\nida@acme.example\n"


def test_the_latest_campaigns_are_listed(manage: Any) -> None:
    assert manage("campaign", "status").out.endswith("(none)\n")
    campaign = make_campaign("PAUSED", operator_paused_at=timezone.now(), name="Spring")
    assert manage("campaign", "status", "--json").data["campaigns"] == [
        {
            "id": campaign.pk,
            "name": "Spring",
            "status": "PAUSED",
            "status_message": "",
            "target_halt": "",
            "budget_halt": "",
            "first_leads": None,
        }
    ]


def test_the_commands_hold_after_the_first_leads_say_so_and_go_on(manage: Any, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("Email\nida@acme.example\nbo@acme.example\n")
    OutlookReading.objects.create(service="apollo", asked_at=timezone.now(), left=0, unit="credits")
    ran = manage("campaign", "create", "Autumn", "--csv", people, "--start", "--first", 1)
    holds = "Holds after the first lead: 1 in work. Read the mails, then go on."
    assert ran.out.splitlines()[-2:] == [f"It is RUNNING. {holds}", "Warning: apollo: no credits left"]
    pk = Campaign.objects.get().pk
    assert holds in manage("campaign", "status", pk).out
    shown = manage("campaign", "status", pk, "--json").data
    assert (shown["first_leads"], shown["first_leads_hold"]) == (1, holds)
    assert manage("campaign", "status", "--json").data["campaigns"][0]["first_leads"] == 1
    gone = manage("campaign", "go-on", pk, "--reason", "read", "--json")
    assert (gone.status, gone.data["warnings"]) == (0, ["apollo: no credits left"])
    again = manage("campaign", "go-on", pk)
    assert (again.status, "does not hold after its first leads" in again.err) == (1, True)
    second = make_campaign("CREATED")
    make_lead(second)
    started = manage("campaign", "start", second.pk, "--first", 10).out
    assert started.startswith(f"Campaign {second.pk} is RUNNING. Holds after the first 10 leads: 1 in work.")


# --- reconcile --------------------------------------------------------------------------------------------------------


def test_reconcile_says_that_the_books_balance_or_what_is_wrong(manage: Any) -> None:
    ran = manage("reconcile")
    assert ran.status == 0
    assert ran.out.startswith("The books balance (")
    assert manage("reconcile", "--json").data == {
        "balanced": True,
        "findings": [],
        "may_be_charged": {"calls": 0, "at_most_usd": 0},
    }
    lead = make_lead(state="PUSHED")
    ran = manage("reconcile")
    text = f"1 leads are PUSHED without a completed push job: {lead.pk}"
    assert (ran.status, ran.out) == (1, f"pushed_lead_without_push: {text}\n")
    assert "The books do not balance: 1 findings." in ran.err
    ran = manage("reconcile", "--json")
    assert (ran.status, ran.data["findings"][0]["detail"]) == (1, text)


# --- a person ---------------------------------------------------------------------------------------------------------


def test_a_person_is_found_exported_and_erased_by_the_command(manage: Any) -> None:
    make_lead(email="ida@acme.example")
    assert manage("person", "find", "IDA@acme.example", "--json").data["rows"]["leads"] == 1
    told = manage("person", "export", "ida@acme.example").data
    assert [row["email"] for row in told["leads"]] == ["ida@acme.example"]
    refused = manage("person", "erase", "ida@acme.example", "--reason", "a letter")
    assert (refused.status, "add --yes" in refused.err) == (1, True)
    erased = manage("person", "erase", "ida@acme.example", "--reason", "a letter", "--actor", "ann", "--yes", "--json")
    assert (erased.status, erased.data["erased"]["leads"]) == (0, 1)
    assert any("Backups" in where for where in erased.data["not_reached"])
    assert manage("person", "find", "ida@acme.example", "--json").data["rows"]["leads"] == 0


def test_a_person_is_named_by_an_address(manage: Any) -> None:
    assert manage("person", "find", "Ida").status == 2
