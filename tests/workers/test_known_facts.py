"""No fact is bought twice: verdicts, people and research are used again, and what that saved is shown."""

from decimal import Decimal

import pytest

from campaigns import spend
from campaigns.models import Campaign, JobRow, KnownFact, Lead
from campaigns.reconcile import reconcile
from integrations.sandbox import Sandbox
from integrations.sandbox.world import people
from tests.breakers import at_once
from tests.builders import ago, make_campaign, make_job, make_lead
from tests.stores import break_vendor, calls_of
from workers.run import run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]
SEARCH = {"person_titles[]": ["CTO"]}
IDS = [people.person(number).id for number in range(3)]
OF_COMPANY = "What does {company} ({company_domain}) sell, and to whom?"
IDA = {"email": "ida@acme.example", "first_name": "Ida", "company": "Acme", "company_domain": "acme.example"}
BOB = {**IDA, "email": "bob@acme.example", "first_name": "Bob"}


def work(job: JobRow) -> str:
    happened = run(job.pk, job.service)
    job.refresh_from_db()
    return happened


def a_research(prompt: str = "", **lead: str) -> JobRow:
    campaign = make_campaign(research_prompt=prompt)
    return make_job(kind="research", lead=make_lead(campaign, stage="research", **(lead or IDA)))


def a_reveal(**payload: object) -> JobRow:
    return make_job(make_campaign(search=SEARCH), kind="reveal", part=1, payload={"people": IDS, **payload})


# --- research ---------------------------------------------------------------------------------------------------------


def test_the_same_question_about_the_same_person_is_asked_once(sandbox: Sandbox) -> None:
    first, second = a_research(), a_research()
    assert work(first) == work(second) == "completed"
    assert len(calls_of(sandbox, "perplexity")) == 1
    paid = first.calls.get().cost_usd
    assert (second.without_call, second.calls.count(), second.avoided_usd) == (True, 0, paid)
    one, other = Lead.objects.order_by("pk")
    assert one.research
    assert (other.research, other.sources, other.stage) == (one.research, one.sources, "write")
    assert spend.avoided() == spend.avoided(second.campaign_id) == paid > 0
    assert spend.avoided(first.campaign_id) == 0
    assert reconcile() == []


@pytest.mark.parametrize(
    "other",
    [{"prompt": "Who is {first_name}?"}, BOB, {**IDA, "title": "Chief Surprise Officer"}],
    ids=["prompt", "person", "fact"],
)
def test_another_question_is_asked(sandbox: Sandbox, other: dict[str, str]) -> None:
    assert work(a_research()) == work(a_research(**other)) == "completed"
    assert len(calls_of(sandbox, "perplexity")) == 2


def test_another_model_is_asked(sandbox: Sandbox, settings: pytest.FixtureRequest) -> None:
    assert work(a_research()) == "completed"
    settings.PERPLEXITY_PRESET = "pro-search"  # type: ignore[attr-defined]
    assert work(a_research()) == "completed"
    assert len(calls_of(sandbox, "perplexity")) == 2


def test_a_research_of_the_company_alone_is_everybodys_who_works_there_and_tells_nothing_of_a_person(
    sandbox: Sandbox,
) -> None:
    assert work(a_research(OF_COMPANY, **IDA)) == work(a_research(OF_COMPANY, **BOB)) == "completed"
    assert len(calls_of(sandbox, "perplexity")) == 1
    assert KnownFact.objects.get().about == ""


def test_a_research_is_asked_again_after_thirty_days(sandbox: Sandbox) -> None:
    work(a_research())
    KnownFact.objects.update(bought_at=ago(30 * 86_400 + 60))
    assert work(a_research()) == "completed"
    assert len(calls_of(sandbox, "perplexity")) == 2
    assert KnownFact.objects.filter(bought_at__gte=ago(60)).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_that_ask_the_same_at_once_pay_once(sandbox: Sandbox) -> None:
    break_vendor(sandbox, "perplexity", "none", latency_ms=200)
    one, two = a_research(), a_research()
    happened = at_once(lambda: run(one.pk, one.service), lambda: run(two.pk, two.service))
    assert sorted(happened) == ["completed", "not yet"]
    JobRow.objects.filter(status="PENDING", kind="research").update(run_at=ago(1))
    for job in (one, two):
        run(job.pk, job.service)
    assert len(calls_of(sandbox, "perplexity")) == 1
    assert len(set(Lead.objects.values_list("research", flat=True))) == 1


# --- people -----------------------------------------------------------------------------------------------------------


def test_a_person_who_was_revealed_is_a_lead_of_a_second_campaign_for_nothing(sandbox: Sandbox) -> None:
    first = a_reveal()
    assert work(first) == "completed"
    second = a_reveal(known=True)
    assert work(second) == "completed"
    assert len(calls_of(sandbox, "apollo")) == 1
    fields = ("apollo_id", "email", "first_name", "last_name", "company", "data", "state")
    mine = list(first.campaign.leads.filter(state="OPEN").order_by("apollo_id").values(*fields))
    assert mine
    assert list(second.campaign.leads.filter(state="OPEN").order_by("apollo_id").values(*fields)) == mine
    assert second.without_call
    assert second.avoided_usd == Decimal("0.025") * len(mine)


def test_a_search_asks_for_those_alone_whom_nobody_has_revealed(sandbox: Sandbox) -> None:
    campaign = make_campaign(search=SEARCH, max_leads=30)
    assert work(make_job(campaign, kind="find", part=1)) == "completed"
    payloads = list(campaign.job_rows.filter(kind="reveal").order_by("part").values_list("payload", flat=True))
    assert [payload.keys() for payload in payloads] == [{"people"}] * 3
    for person in payloads[0]["people"]:
        KnownFact.objects.create(key=f"person:{person}", value={"id": person})
    KnownFact.objects.filter(key=f"person:{payloads[0]['people'][0]}").update(bought_at=ago(90 * 86_400 + 60))
    Campaign.objects.filter(pk=campaign.pk).update(status="CANCELLED", finished_at=ago(0))  # who holds nobody
    again = make_campaign(search=SEARCH, max_leads=30)
    assert work(make_job(again, kind="find", part=1)) == "completed"
    shared = again.job_rows.filter(kind="reveal")
    known = [payload["people"] for payload in shared.values_list("payload", flat=True) if payload.get("known")]
    assert known == [payloads[0]["people"][1:]]
    unknown = [payload["people"] for payload in shared.values_list("payload", flat=True) if not payload.get("known")]
    assert {pk for ids in unknown for pk in ids}.isdisjoint(known[0])
    assert sum(map(len, unknown)) == sum(len(payload["people"]) for payload in payloads) - 9


def test_somebody_without_an_address_is_no_fact(sandbox: Sandbox) -> None:
    nobody = next(people.person(number).id for number in range(200) if not people.person(number).email)
    assert work(make_job(make_campaign(search=SEARCH), kind="reveal", part=1, payload={"people": [nobody]}))
    assert not KnownFact.objects.exists()


def test_a_fact_that_was_forgotten_meanwhile_is_somebody_not_matched(sandbox: Sandbox) -> None:
    job = a_reveal(known=True)
    assert work(job) == "completed"
    assert set(job.campaign.leads.values_list("state", "end_reason")) == {("DROPPED", "not matched by Apollo")}
    assert calls_of(sandbox, "apollo") == []
