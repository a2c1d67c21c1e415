"""Claims are numbered from the second of a job's birth: no two jobs that had one id share a number."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from campaigns import fences, jobs
from campaigns.models import JobRow, VendorCall
from campaigns.reconcile import reconcile
from campaigns.statements import LOST
from tests.builders import ago, make_job

BIRTHS = st.datetimes(datetime(2020, 1, 2), datetime(2088, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (bounds)
UNKNOWN = jobs.Call(timezone.now(), "unknown", may_cost_usd=Decimal("0.004"))


def claim(job: JobRow) -> JobRow:
    held = jobs.claim(job.pk, job.service, "host:1")
    assert held is not None
    return held


@given(BIRTHS, st.integers(0, 1000))
def test_numbers_fit_their_column_and_the_next_is_greater(created_at: datetime, claims: int) -> None:
    fence = 0
    for _ in range(3):
        following = fences.following(fence, created_at)
        assert fence < following < 2**31 - 1
        fence = following
    assert fences.following(claims, created_at) == fences.born(created_at) + claims + 1  # begun under the old count


@given(BIRTHS, st.integers(0, 999_999))
def test_a_job_of_a_later_second_never_has_a_number_of_an_earlier_one(created_at: datetime, micros: int) -> None:
    later = fences.following(0, created_at.replace(microsecond=micros) + timedelta(seconds=2))
    assert fences.is_first(later, created_at + timedelta(seconds=2))
    assert not fences.is_first(later, created_at)


@pytest.mark.django_db
@pytest.mark.parametrize("micros", [0, 1, 499_999, 500_000, 999_999])
@pytest.mark.parametrize("fence", [0, 3])
def test_statement_and_python_count_alike(micros: int, fence: int) -> None:
    job = make_job(created_at=ago(3600).replace(microsecond=micros), fence=fence)
    job.refresh_from_db()
    expected = fences.following(fence, job.created_at)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {fences.BORN} FROM job_rows")
        assert cursor.fetchone() == (fences.born(job.created_at),)
    held = claim(job)
    assert held.fence == expected
    assert fences.is_first(held.fence, held.created_at) is (fence == 0)
    JobRow.objects.update(status="PENDING", lease_until=None)
    again = claim(job)
    assert again.fence == expected + 1
    assert not fences.is_first(again.fence, again.created_at)


# --- a job that PostgreSQL has lost -----------------------------------------------------------------------------------


def booked() -> tuple[int | None, int | None, str]:
    call = VendorCall.objects.get()
    return call.job_id, call.campaign_id, call.error


@pytest.mark.django_db
def test_a_call_of_a_lost_job_is_booked_without_it() -> None:
    held = claim(make_job())
    campaign = held.campaign
    JobRow.objects.all().delete()
    jobs.book(held, jobs.Call(timezone.now(), "success", error="", cost_usd=Decimal("0.004")))
    assert booked() == (None, campaign.pk, f"{LOST} the job: ")
    assert "call_without_job" not in {finding.check for finding in reconcile()}


@pytest.mark.django_db
def test_a_call_of_a_lost_job_is_not_booked_on_the_one_that_was_given_its_id() -> None:
    held = claim(make_job(created_at=ago(20)))
    JobRow.objects.update(created_at=ago(10), fence=0, status="PENDING", lease_until=None)  # another, by the same id
    jobs.book(held, UNKNOWN)
    assert booked()[0] is None
    other = claim(JobRow.objects.get())
    jobs.book(other, UNKNOWN)
    assert VendorCall.objects.filter(job_id=held.pk).get().fence == other.fence


@pytest.mark.django_db
def test_a_call_of_a_lost_campaign_is_booked_without_it() -> None:
    held = claim(make_job())
    held.campaign_id = 2**40
    jobs.book(held, UNKNOWN)
    assert booked()[:2] == (held.pk, None)


@pytest.mark.django_db
def test_a_call_under_the_old_count_belongs_to_its_job() -> None:
    held = claim(make_job())
    held.fence = 3
    jobs.book(held, UNKNOWN)
    assert booked()[0] == held.pk


@pytest.mark.django_db
def test_a_call_under_a_lost_claim_is_booked_on_its_job_and_says_so() -> None:
    """Claimed twice since the standby's last record; the second call comes home, and the job goes on from the first."""
    held = claim(make_job())
    JobRow.objects.update(fence=held.fence - 1, status="PENDING", lease_until=None)
    jobs.book(held, jobs.Call(timezone.now(), "success", credits=Decimal(1)))
    assert booked() == (held.pk, held.campaign_id, f"{LOST} the claim: ")
    assert "call_without_job" not in {finding.check for finding in reconcile()}
