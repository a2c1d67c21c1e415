"""A written mail that somebody must read makes no push; one that nobody must read costs no statement more."""

import pytest

from campaigns import review
from campaigns.models import JobRow, Lead
from campaigns.reconcile import reconcile
from integrations.sandbox import Sandbox
from tests.builders import make_campaign, make_job, make_lead
from tests.stores import calls_of
from tests.workers.chain import ANN, MAIL, TARGET
from workers.run import run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]


def write(mode: str) -> tuple[Lead, JobRow | None]:
    """Have a lead's mail written; the lead, and the push that follows."""
    campaign = make_campaign(review=mode, instantly_campaign_id=TARGET)
    lead = make_lead(campaign, stage="write", verdict="ok", research=MAIL["research"])
    job = make_job(lead=lead, kind="write")
    assert run(job.pk, "openai") == "completed"
    lead.refresh_from_db()
    return lead, JobRow.objects.filter(lead=lead, kind="push").first()


def test_without_a_review_the_push_follows_at_once() -> None:
    lead, push = write("off")
    assert lead.stage == "push"
    assert push is not None


def test_a_mail_that_must_be_read_waits_and_is_pushed_when_it_was(sandbox: Sandbox) -> None:
    lead, push = write("all")
    assert (lead.state, lead.stage, bool(lead.mail_body), push) == ("OPEN", "review", True, None)
    assert calls_of(sandbox, "instantly") == []
    review.edit(lead.pk, subject="By hand", body=lead.mail_body, actor=ANN)
    assert review.approve([lead.pk], actor=ANN).done == 1
    assert run(JobRow.objects.get(lead=lead, kind="push").pk, "instantly") == "completed"
    lead.refresh_from_db()
    assert (lead.state, lead.mail_subject) == ("PUSHED", "By hand")
    assert reconcile() == []


def test_a_lead_that_ends_while_its_mail_is_written_waits_for_nobody() -> None:
    campaign = make_campaign(review="all", instantly_campaign_id=TARGET)
    lead = make_lead(campaign, stage="write", verdict="ok", research=MAIL["research"])
    job = make_job(lead=lead, kind="write", status="PENDING")
    Lead.objects.filter(pk=lead.pk).update(state="DROPPED", end_reason="suppressed", ended_at=lead.created_at)
    assert run(job.pk, "openai") == "completed"
    lead.refresh_from_db()
    assert (lead.state, lead.stage) == ("DROPPED", "write")
    assert review.number() == 0
