"""After a loss in Redis no job waits for the lease of a message that is gone."""

import pytest

from campaigns.models import JobRow
from circuitbreakers import rebuild
from tests.breakers import redis_cli
from tests.builders import ago, make_campaign, make_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_step")]


def sent_jobs() -> set[str]:
    return set(JobRow.objects.exclude(sent_at=None).values_list("status", flat=True))


def test_a_seal_ends_the_leases_of_messages_but_not_of_jobs_that_a_worker_holds() -> None:
    campaign = make_campaign()
    for status in ("PENDING", "PENDING", "PROCESSING"):
        make_job(campaign, status=status, sent_at=ago(1))
    redis_cli().flushdb()
    rebuild.compare()
    assert sent_jobs() == {"PROCESSING"}


def test_a_comparison_that_seals_nothing_leaves_them() -> None:
    make_job(sent_at=ago(1))
    rebuild.compare()
    assert sent_jobs() == {"PENDING"}
