"""A job costs so many statements, transactions and round trips to Redis, on any machine: more is a step back."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import feed
from campaigns.models import JobRow
from circuitbreakers import switch
from integrations.sandbox import Sandbox
from tests.builders import make_campaign, make_jobs
from tests.workers.chain import KINDS, TARGET, job_of
from workers import dispatch
from workers.run import run

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("sandbox")]

# Statements and transactions of a job's first claim, with the call that succeeds. Beyond the claim and the completion:
# reveal keeps the people and inserts their leads; verify and research ask whether the answer is known. The claim itself
# asks the suppression list; push begins under its contact's lock.
COSTS = {
    "reveal": (6, 2),
    "verify": (3, 3),
    "research": (3, 3),
    "write": (2, 2),
    "push": (3, 3),
}


def redis_scripts() -> int:
    """Return how many scripts Redis has run."""
    stats = switch.client().info("commandstats")
    return sum(int(stats.get(f"cmdstat_{name}", {}).get("calls", 0)) for name in ("evalsha", "eval"))


def transactions(statements: list[str]) -> int:
    """Count the commits: of each block one, and of each statement outside of one."""
    count, inside = 0, False
    for statement in statements:
        if statement == "BEGIN":
            inside = True
        elif statement == "COMMIT":
            inside, count = False, count + 1
        elif not inside:
            count += 1
    return count


def executed(job: JobRow) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert run(job.pk, job.service) == "completed"
    return [query["sql"] for query in captured.captured_queries]


@pytest.mark.parametrize("service", KINDS)
def test_a_job_of_each_kind_costs_so_many_statements_transactions_and_scripts(sandbox: Sandbox, service: str) -> None:
    campaign = make_campaign(instantly_campaign_id=TARGET)
    executed(job_of(service, campaign))  # what a process asks once
    job, before = job_of(service, campaign), redis_scripts()
    statements = executed(job)
    assert redis_scripts() - before == 2  # admit, record
    work = [statement for statement in statements if statement not in ("BEGIN", "COMMIT")]
    assert (len(work), transactions(statements)) == COSTS[KINDS[service]], "\n".join(statements)


def test_a_round_of_dispatch_costs_few_statements_however_many_jobs_wait() -> None:
    for jobs in (5, 500):
        make_jobs(make_campaign(), jobs)
        with CaptureQueriesContext(connection) as captured:
            assert dispatch.dispatch() > 0
        assert len(captured) <= 4


def test_a_round_without_work_costs_few_statements() -> None:
    make_campaign()
    with CaptureQueriesContext(connection) as captured:
        assert dispatch.dispatch() == 0
        feed.feed()
    assert len(captured) <= 7
