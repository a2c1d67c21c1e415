"""No mail leaves unread, if the campaign says so: what waits, what approving, editing and rejecting do, and to whom."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from campaigns import cancelled, feed, finish, first_leads, funnel, lifecycle, remaining, review, rewrite, story
from campaigns.leads.suppression import suppress
from campaigns.models import Campaign, Job, JobRow, Lead, VendorCall
from campaigns.moves import MoveRefused
from campaigns.reconcile import reconcile
from circuitbreakers import switch
from circuitbreakers.models import Event
from tests.breakers import ANN, at_once, trip
from tests.builders import make_call, make_campaign, make_job, make_lead

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]
races = pytest.mark.django_db(transaction=True)
SUBJECT = "A question about your data team"
BODY = "Hello Ida, how does your team keep its pipelines running these days? Best, Ann"


def a_mail(campaign: Campaign | None = None, **fields: Any) -> Lead:
    """A lead whose mail waits, as its campaign's writer has left it."""
    lead = make_lead(
        campaign or make_campaign(review="all"), stage="review", mail_subject=SUBJECT, mail_body=BODY, **fields
    )
    for kind in ("verify", "research", "write"):
        make_call(make_job(lead=lead, kind=kind, status="COMPLETED", fence=1))
    return lead


def pushes() -> list[tuple[int | None, str]]:
    return list(JobRow.objects.filter(kind="push").order_by("lead_id").values_list("lead_id", "status"))


# --- what is to be read -----------------------------------------------------------------------------------------------


def wanted(mode: str, body: str = BODY, **fields: Any) -> bool:
    campaign = make_campaign(review=mode)
    return review.wanted(campaign, make_lead(campaign, **fields), mail_subject=SUBJECT, mail_body=body)


def test_off_reads_nothing_and_all_reads_everything() -> None:
    assert not wanted("off")
    assert wanted("all")


def test_findings_reads_what_claims_something_without_a_source() -> None:
    assert not wanted("findings")
    assert wanted("findings", f"You grew by 4,711 percent. {BODY}")
    assert not wanted("findings", f"You grew by 4,711 percent. {BODY}", research="It grew by 4,711 percent.")


def test_a_sample_is_the_first_twenty_and_then_one_in_twenty() -> None:
    campaign = make_campaign(review="sample")
    lead = make_lead(campaign)
    not_drawn = next(pk for pk in range(1, 100) if not review.is_drawn(pk))
    drawn = next(pk for pk in range(1, 100) if review.is_drawn(pk))
    mail = {"mail_subject": SUBJECT, "mail_body": BODY}
    for _ in range(19):
        make_lead(campaign, stage="push")
    lead.pk = not_drawn
    assert review.wanted(campaign, lead, **mail)
    make_lead(campaign, stage="review")
    assert not review.wanted(campaign, lead, **mail)
    lead.pk = drawn
    assert review.wanted(campaign, lead, **mail)


def test_one_in_twenty_is_drawn_the_same_each_time() -> None:
    drawn = [pk for pk in range(100_000) if review.is_drawn(pk)]
    assert 4_700 < len(drawn) < 5_300
    assert drawn == [pk for pk in range(100_000) if review.is_drawn(pk)]


# --- waiting ----------------------------------------------------------------------------------------------------------


def test_a_waiting_mail_spends_nothing_fails_nothing_and_is_counted_apart() -> None:
    lead = a_mail()
    campaign = lead.campaign
    assert feed.mend_leads() == 0
    assert finish.finish_campaigns() == 0
    assert reconcile() == []
    assert pushes() == []
    assert (review.number(), review.number(campaign.pk), review.number(campaign.pk + 1)) == (1, 1, 0)
    counted = funnel.of_campaign(campaign.pk)
    assert (counted.verified, counted.written, counted.pushed) == (1, 1, 0)
    assert remaining.remaining_calls([campaign.pk])["instantly"] == 1
    why = story.why_not_moving(
        lead, campaign, list(Job.objects.filter(lead=lead)), now=timezone.now(), queue={}, blocked={}
    )
    assert why == "Its mail is written, and waits for somebody to read and approve it."


@pytest.mark.parametrize("verb", ["cancel", "suppress"])
def test_a_lead_that_ends_waits_no_more(verb: str) -> None:
    lead = a_mail()
    if verb == "cancel":
        lifecycle.cancel(lead.campaign_id, actor=ANN)
        cancelled.end_cancelled()
    else:
        suppress([str(lead.email)], "asked", ANN)
    assert review.number() == 0
    assert not review.waiting().exists()
    assert review.approve([lead.pk], actor=ANN) == review.Reviewed(0, 1)
    assert review.reject([lead.pk], actor=ANN) == review.Reviewed(0, 1)
    with pytest.raises(MoveRefused, match="waits no more"):
        review.edit(lead.pk, subject=SUBJECT, body=BODY, actor=ANN)
    assert pushes() == []


# --- approving --------------------------------------------------------------------------------------------------------


def test_approving_makes_the_push_and_is_one_event_a_campaign() -> None:
    first, second = make_campaign(review="all"), make_campaign(review="all")
    leads = [a_mail(first), a_mail(first), a_mail(second), a_mail(second)]
    asked = [lead.pk for lead in leads[:3]]
    assert review.approve(asked, actor=ANN, reason="read") == review.Reviewed(3)
    assert pushes() == [(pk, "PENDING") for pk in asked]
    assert list(Lead.objects.order_by("pk").values_list("stage", flat=True)) == ["push", "push", "push", "review"]
    recorded = Event.objects.filter(verb="mails_approved").order_by("pk")
    assert [(one.subject_id, one.actor, one.reason, one.after) for one in recorded] == [
        (str(first.pk), "ann", "read", {"mails": 2}),
        (str(second.pk), "ann", "read", {"mails": 1}),
    ]
    assert review.approve(asked, actor=ANN) == review.Reviewed(0, 3)
    assert Event.objects.filter(verb="mails_approved").count() == 2
    assert reconcile() == []


@races
def test_two_who_approve_at_once_make_one_push() -> None:
    lead = a_mail()
    done = at_once(*[lambda: review.approve([lead.pk], actor=ANN).done] * 4)
    assert sorted(done) == [0, 0, 0, 1]
    assert pushes() == [(lead.pk, "PENDING")]


def test_all_of_a_campaign_are_approved_unread_with_a_reason_only() -> None:
    campaign = make_campaign(review="all")
    for _ in range(3):
        a_mail(campaign)
    a_mail()
    with pytest.raises(MoveRefused, match="needs a reason"):
        review.approve_all(campaign.pk, actor=ANN, reason=" ")
    with pytest.raises(Campaign.DoesNotExist):
        review.approve_all(0, actor=ANN, reason="x")
    assert review.approve_all(campaign.pk, actor=ANN, reason="the first ten were fine") == review.Reviewed(3)
    assert review.number() == 1


def test_too_many_at_once_are_refused() -> None:
    for verb in (review.approve, review.reject):
        with pytest.raises(MoveRefused, match="At most 500"):
            verb(range(501), actor=ANN)


def test_while_the_system_is_paused_mails_are_read_and_nothing_is_sent() -> None:
    lead = a_mail()
    trip()
    assert switch.read_all().queue["instantly"] == "PAUSED"
    assert review.approve([lead.pk], actor=ANN) == review.Reviewed(1)
    assert Job.objects.get(kind="push").status == "PAUSED"


# --- rejecting and editing --------------------------------------------------------------------------------------------


def test_a_rejected_mail_drops_its_lead_and_what_was_paid_stays() -> None:
    lead, other = a_mail(), a_mail()
    calls = VendorCall.objects.count()
    assert review.reject([lead.pk], actor=ANN, reason="not our tone") == review.Reviewed(1)
    lead.refresh_from_db()
    assert (lead.state, lead.end_reason) == ("DROPPED", "rejected by its reader: not our tone")
    assert lead.ended_at is not None
    assert lead.mail_body == BODY
    other.refresh_from_db()
    assert other.state == "OPEN"
    assert VendorCall.objects.count() == calls
    assert Event.objects.get(verb="mails_rejected").after == {"mails": 1}
    assert finish.finish_campaigns() == 1
    assert reconcile() == []


def test_an_edited_mail_waits_on_and_keeps_how_it_was_written() -> None:
    lead = a_mail()
    for number in (1, 2):
        review.edit(lead.pk, subject=f"Another subject {number}", body=BODY + " And more.\r\nBye.", actor=ANN)
    lead.refresh_from_db()
    assert (lead.mail_subject, lead.mail_body) == ("Another subject 2", BODY + " And more.\nBye.")
    assert lead.mail_as_written == {"subject": SUBJECT, "body": BODY}
    assert (lead.state, lead.stage) == ("OPEN", "review")
    assert Event.objects.filter(subject_type="lead", subject_id=str(lead.pk), verb="mail_edited").count() == 2
    review.edit(lead.pk, subject="Another subject 2", body=lead.mail_body, actor=ANN)
    assert Event.objects.filter(verb="mail_edited").count() == 2


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("", BODY),
        (SUBJECT, "Too short"),
        (SUBJECT, BODY + " https://elsewhere.example"),
        ("x" * 151, BODY),
        (SUBJECT, ""),
    ],
)
def test_an_edited_mail_is_checked_as_a_written_one(subject: str, body: str) -> None:
    lead = a_mail()
    with pytest.raises(ValidationError):
        review.edit(lead.pk, subject=subject, body=body, actor=ANN)
    lead.refresh_from_db()
    assert (lead.mail_subject, lead.mail_body, lead.mail_as_written) == (SUBJECT, BODY, None)


# --- beside the first leads -------------------------------------------------------------------------------------------


def test_first_leads_count_unread_mails_as_written_and_rewrite_them() -> None:
    campaign = make_campaign(review="all", first_leads=2, first_left=0)
    lead = a_mail(campaign)
    assert first_leads.hold_of(campaign).startswith("Holds after the first 2 leads: 1 written.")
    assert first_leads.written(campaign) == [lead.pk]
    assert rewrite.rewrite(campaign.pk, actor=ANN) == 1
    lead.refresh_from_db()
    assert (lead.stage, lead.mail_body) == ("write", "")
    assert JobRow.objects.get(lead=lead, kind="write").status == "PENDING"
