"""A process dies at each named point; whoever comes after it brings everything to its end, and the books balance."""

import signal
from collections import Counter

import pytest

from campaigns import lifecycle, recovery
from campaigns.models import Campaign, Lead, VendorCall
from campaigns.reconcile import reconcile
from circuitbreakers import breaker, gate
from circuitbreakers.models import Incident, QueuePause
from tests.builders import make_campaign, make_fleet, make_lead
from tests.chaos import crashing
from tests.chaos.dies import fail, in_a_process, reset, resume, supervise, work
from tests.chaos.wellness import ANN, bring_to_its_end, charged_unknown, fleet_signs, leases_end
from tests.stores import calls_of
from tests.workers.chain import TARGET

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign(sandbox, probes_succeed):
    """A campaign of three, and a fleet that a resume asks for."""
    campaign = make_campaign(status="CREATED", instantly_campaign_id=TARGET)
    for number in range(3):
        make_lead(campaign, email=f"ida{number}+ok@acme{number}.example", company=f"Acme {number}", stage="")
    make_fleet()
    return campaign


def dies(act, at, hit=1):
    """Do it in a process that dies at a point."""
    assert in_a_process(act, at, hit) == signal.SIGKILL


def hold_the_books(sandbox):
    """Nothing is lost, nothing done twice, and what may have been charged is on the books."""
    assert {lead.state for lead in Lead.objects.all()} == {"PUSHED"}
    assert reconcile() == []
    pushes = [key for call in calls_of(sandbox, "instantly") for key in call["charges"]]
    assert sorted(pushes) == sorted(Lead.objects.values_list("email", flat=True))
    known = Counter(
        (call.service, call.job.lead.email)
        for call in VendorCall.objects.select_related("job__lead")
        if call.job.lead and (call.may_be_charged or call.cost_usd + call.credits > 0)
    )
    assert charged_unknown(calls_of(sandbox), known) == []
    assert not QueuePause.objects.filter(ended_at=None).exists()


@pytest.mark.parametrize("point", crashing.JOB)
def test_a_worker_dies_in_the_life_of_a_job(sandbox, campaign, point):
    lifecycle.start(campaign.pk, actor=ANN)
    # In the middle: some leads have come further than others.
    dies(work, point, hit=2 if "push" in point else 7)
    bring_to_its_end()
    hold_the_books(sandbox)


@pytest.mark.parametrize("point", crashing.CASCADE)
def test_the_process_that_opened_a_breaker_dies_in_its_cascade(sandbox, campaign, point):
    lifecycle.start(campaign.pk, actor=ANN)
    dies(fail, point)
    with pytest.raises(gate.NotAdmitted):
        gate.admit("openai", "another:1")
    bring_to_its_end()
    assert Incident.objects.count() == 1
    hold_the_books(sandbox)


@pytest.mark.parametrize("point", crashing.SUPERVISOR)
def test_a_supervisor_dies_in_a_step(sandbox, campaign, point):
    if point == "leads are fed" or point.startswith("leads are taken in"):
        Campaign.objects.filter(pk=campaign.pk).update(status="RUNNING", started_at=campaign.created_at)
    else:
        lifecycle.start(campaign.pk, actor=ANN)
    if "claim" in point:
        dies(work, "the vendor has answered")
        leases_end()
    if "end" in point and "sent" not in point:
        dies(work, "it is saved", hit=12)
    dies(supervise, point)
    bring_to_its_end()
    hold_the_books(sandbox)


@pytest.mark.parametrize("point", crashing.RESET)
def test_a_web_process_dies_in_a_reset(sandbox, campaign, point):
    lifecycle.start(campaign.pk, actor=ANN)
    assert [gate.record_failure("apollo", "no answer", "timeout") for _ in range(5)][-1] == "opened"
    dies(reset, point)
    assert Campaign.objects.get().status == "PAUSED"
    bring_to_its_end()
    hold_the_books(sandbox)


@pytest.mark.parametrize("point", crashing.RESUME)
def test_a_web_process_dies_in_a_resume(sandbox, campaign, point):
    lifecycle.start(campaign.pk, actor=ANN)
    assert [gate.record_failure("apollo", "no answer", "timeout") for _ in range(5)][-1] == "opened"
    breaker.reset("apollo", actor=ANN, reason="mended")
    dies(resume, point)
    bring_to_its_end()
    hold_the_books(sandbox)


def test_a_resume_may_be_repeated_after_one_that_died(sandbox, campaign):
    lifecycle.start(campaign.pk, actor=ANN)
    assert [gate.record_failure("apollo", "no answer", "timeout") for _ in range(5)][-1] == "opened"
    breaker.reset("apollo", actor=ANN, reason="mended")
    dies(resume, "the switch is active, the rows are not committed")
    fleet_signs()
    assert recovery.resume(actor=ANN, reason="once more").campaigns_resumed == 1
    assert Campaign.objects.get().status == "RUNNING"
