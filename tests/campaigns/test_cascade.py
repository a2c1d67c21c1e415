"""An opening becomes an incident, a system pause, and every RUNNING campaign PAUSED, in one transaction."""

import threading
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import cascade, lifecycle, moves, recovery, resume_plan
from campaigns.models import Campaign, JobRow
from circuitbreakers import breaker, gate, rebuild, switch
from circuitbreakers.models import Event, Incident, QueuePause
from circuitbreakers.services import SERVICES
from circuitbreakers.states import Opening
from tests.breakers import ANN, at_once, let_the_wait_pass, queue, reset, trip, trip_and_die
from tests.builders import make_campaign, make_fleet, make_job, make_lead
from tests.stores import away, locked, refusing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]
races = pytest.mark.django_db(transaction=True)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"[{record.levelname}] {record.getMessage()}" for record in caplog.records]


def statuses() -> dict[int, str]:
    return dict(Campaign.objects.values_list("pk", "status"))


def an_opening(service: str = "apollo", epoch: int = 1) -> Opening:
    """An opening that the switch knows nothing of: what the cascade costs is measured with it."""
    return Opening(service, epoch, timezone.now(), 5, "5 consecutive failures", "server_error")


@pytest.mark.parametrize("service", SERVICES)
def test_any_opening_pauses_all_running_campaigns_and_no_other(service: str) -> None:
    running = [make_campaign("RUNNING").pk for _ in range(3)]
    others = {make_campaign(status).pk: status for status in ("CREATED", "COMPLETED", "FAILED", "CANCELLED")}
    trip(service)
    assert statuses() == {**dict.fromkeys(running, "PAUSED"), **others}
    for campaign in Campaign.objects.filter(pk__in=running):
        assert campaign.status_message == f"System pause: {service} circuit breaker opened"
        assert campaign.system_paused_at is not None


@pytest.mark.parametrize("words", ["\x00upstream gone", "gone " * 1000])
def test_no_words_of_a_vendor_keep_campaigns_running(words: str) -> None:
    campaign = make_campaign()
    gate.record_failure("apollo", words, "auth")
    assert statuses() == {campaign.pk: "PAUSED"}


def test_no_reason_of_a_hold_keeps_campaigns_running() -> None:
    campaign = make_campaign()
    breaker.hold("apollo", actor=ANN, reason="r" * 500)
    assert statuses() == {campaign.pk: "PAUSED"}


def test_the_log_tells_the_opening_in_the_contracts_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    first, second = make_campaign(), make_campaign()
    for _ in range(5):
        gate.record_failure("apollo", "HTTP 503", "server_error")
    assert lines(caplog) == [
        "[WARNING] Circuit breaker opened for service apollo after 5 failures",
        "[WARNING] Pausing queues for service apollo due to circuit breaker",
        "[INFO] Evaluating campaigns for service apollo failure - 2 campaigns affected",
        f"[WARNING] Campaign {first.pk} paused due to apollo circuit breaker opened",
        f"[WARNING] Campaign {second.pk} paused due to apollo circuit breaker opened",
    ]
    assert {record.__dict__["service"] for record in caplog.records} == {"apollo"}
    assert caplog.records[-1].__dict__["campaign"] == second.pk


def test_the_incident_keeps_the_evidence_and_each_campaign_its_event() -> None:
    campaign = make_campaign()
    for number in range(5):
        gate.record_failure("openai", f"HTTP 50{number}", "server_error")
    incident = Incident.objects.get()
    assert (incident.service, incident.failure_type, incident.failures) == ("openai", "server_error", 5)
    assert [failure["error"] for failure in incident.evidence] == [f"HTTP 50{n}" for n in (4, 3, 2, 1, 0)]
    assert {failure["worker"] for failure in incident.evidence} == {gate.process_name()}
    assert incident.opened_at == switch.read("openai").opened_at
    assert incident.campaigns_paused == 1
    event = Event.objects.get(subject_type="campaign", subject_id=str(campaign.pk), verb="paused")
    assert (event.incident_id, event.actor) == (incident.pk, "circuit breaker")
    assert (event.before, event.after) == ({"status": "RUNNING"}, {"status": "PAUSED"})


def test_a_second_opening_joins_the_pause_of_the_first() -> None:
    campaign = make_campaign()
    trip("apollo")
    trip("openai")
    pause = QueuePause.objects.get(key="system", ended_at=None)
    assert [incident.pause_id for incident in Incident.objects.order_by("id")] == [pause.pk, pause.pk]
    campaign.refresh_from_db()
    assert campaign.status_message == "System pause: apollo circuit breaker opened"


def test_all_of_it_happens_or_nothing() -> None:
    """Incident, pause and campaigns are one transaction; what fails is finished by the comparison of the stores."""
    fine, stubborn = make_campaign(), make_campaign()
    with refusing("campaigns", stubborn.pk):
        trip()
        assert set(statuses().values()) == {"RUNNING"}
        assert not Incident.objects.exists()
        assert not QueuePause.objects.exists()
    assert set(queue().values()) == {"PAUSED"}  # the switch does not wait for its bookkeeping
    rebuild.compare()
    assert statuses() == {fine.pk: "PAUSED", stubborn.pk: "PAUSED"}
    assert Incident.objects.get().campaigns_paused == 2


def test_a_process_that_dies_before_its_cascade_is_finished_by_the_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = make_campaign()
    trip_and_die(monkeypatch, "perplexity")
    assert statuses() == {campaign.pk: "RUNNING"}
    rebuild.compare()
    assert statuses() == {campaign.pk: "PAUSED"}
    assert Incident.objects.get().service == "perplexity"


def test_a_listener_that_wakes_after_reset_and_resume_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    campaign = make_campaign()
    make_fleet()
    trip_and_die(monkeypatch)
    frozen = switch.read_opening(switch.read("apollo"))
    rebuild.compare()
    reset()
    recovery.resume(actor=ANN)
    before = (statuses(), queue(), list(Incident.objects.values()), list(QueuePause.objects.values()))
    caplog.clear()
    cascade.handle_circuit_breaker_opened(frozen)
    assert (statuses(), queue(), list(Incident.objects.values()), list(QueuePause.objects.values())) == before
    assert statuses() == {campaign.pk: "RUNNING"}
    assert lines(caplog) == []


def test_a_thousand_campaigns_take_as_many_statements_as_three() -> None:
    def statements(epoch: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            cascade.handle_circuit_breaker_opened(an_opening(epoch=epoch))
        return len(captured)

    for _ in range(3):
        make_campaign()
    few = statements(epoch=1)
    Campaign.objects.bulk_create(
        Campaign(name=f"Many {n}", status="RUNNING", started_at=timezone.now()) for n in range(1000)
    )
    QueuePause.objects.update(ended_at=timezone.now())  # so that both open a pause
    assert statements(epoch=2) == few
    assert Campaign.objects.filter(status="PAUSED").count() == 1003
    assert few < 25


@races
def test_a_stuck_row_does_not_hold_up_the_others_and_is_finished_and_named(caplog: pytest.LogCaptureFixture) -> None:
    free, stuck = [make_campaign().pk for _ in range(3)], make_campaign()
    with locked("campaigns", stuck.pk):
        trip("instantly")
        assert statuses() == {**dict.fromkeys(free, "PAUSED"), stuck.pk: "RUNNING"}
        assert Incident.objects.get().campaigns_paused == 3
        caplog.clear()
        assert cascade.pause_stragglers() == 0
        assert f"[WARNING] Campaigns still running under the system pause: [{stuck.pk}]" in lines(caplog)
        assert not resume_plan.plan().ready
    assert cascade.pause_stragglers() == 1
    stuck.refresh_from_db()
    assert stuck.status_message == "System pause: instantly circuit breaker opened"
    assert cascade.pause_stragglers() == 0


@races
def test_an_opening_is_on_record_even_when_every_campaign_row_is_stuck() -> None:
    stuck = make_campaign()
    with locked("campaigns", stuck.pk):
        trip()
        assert Incident.objects.get().campaigns_paused == 0
        assert QueuePause.objects.filter(key="system", ended_at=None).exists()
    assert cascade.pause_stragglers() == 1


def test_nothing_is_finished_where_no_system_pause_stands() -> None:
    campaign = make_campaign()
    assert cascade.pause_stragglers() == 0
    assert statuses() == {campaign.pk: "RUNNING"}


class Midway:
    """Holds a verb between its check and its act until the other side has had every chance to slip in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.checked, self.go_on = threading.Event(), threading.Event()
        check = moves.require_active_queue

        def check_and_wait() -> None:
            check()
            self.checked.set()
            self.go_on.wait(0.5)  # under the switch lock nobody comes: the wait is what a lucky cascade would need

        monkeypatch.setattr(lifecycle, "require_active_queue", check_and_wait)

    def cascade(self) -> None:
        self.checked.wait(10)
        trip()
        self.go_on.set()


@races
@pytest.mark.parametrize("verb", ["start", "resume"])
def test_no_campaign_is_running_under_the_system_pause_whoever_comes_first(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if verb == "start":
        campaign = make_campaign("CREATED")
        make_lead(campaign)
    else:
        campaign = make_campaign("PAUSED", operator_paused_at=timezone.now(), operator_paused_by="ann")
    midway = Midway(monkeypatch)
    moved, _ = at_once(lambda: getattr(lifecycle, verb)(campaign.pk, actor=ANN), midway.cascade)
    assert isinstance(moved, Campaign), moved
    campaign.refresh_from_db()
    assert campaign.status == "PAUSED"
    assert campaign.status_message == "System pause: apollo circuit breaker opened"


@races
def test_eight_starts_and_an_opening_at_once_leave_nothing_running() -> None:
    campaigns = [make_campaign("CREATED") for _ in range(8)]
    for campaign in campaigns:
        make_lead(campaign)

    def start(pk: int) -> Any:
        return lambda: lifecycle.start(pk, actor=ANN)

    results = at_once(*(start(campaign.pk) for campaign in campaigns), trip)
    assert all(isinstance(result, Campaign | moves.MoveRefused) for result in results[:-1]), results
    assert set(statuses().values()) <= {"CREATED", "PAUSED"}


def test_while_redis_is_away_campaigns_are_not_paused() -> None:
    """That is no vendor's failure, and it ends with the outage: the gate refuses meanwhile."""
    campaign = make_campaign()
    with away("REDIS_SWITCH_URL"), pytest.raises(switch.RedisUnavailable):
        rebuild.compare()
    assert statuses() == {campaign.pk: "RUNNING"}
    assert not Incident.objects.exists()


def test_the_whole_way_from_trip_to_resume_in_the_contracts_sql() -> None:
    campaign = make_campaign()
    job = make_job(campaign)
    make_fleet()
    trip()
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name, status_message FROM campaigns WHERE status = 'PAUSED'")
        assert cursor.fetchall() == [(campaign.pk, campaign.name, "System pause: apollo circuit breaker opened")]
        cursor.execute("SELECT status, COUNT(*) FROM jobs GROUP BY status")
        assert cursor.fetchall() == [("PAUSED", 1)]
        let_the_wait_pass()
        reset()
        recovery.resume(actor=ANN)
        cursor.execute(
            "SELECT id, name, status_message FROM campaigns "
            "WHERE status = 'RUNNING' AND status_message LIKE '%resumed%'"
        )
        assert cursor.fetchall() == [(campaign.pk, campaign.name, "Campaign resumed - services are available")]
    job.refresh_from_db()
    assert (job.status, job.error) == (JobRow.Status.PENDING, None)
