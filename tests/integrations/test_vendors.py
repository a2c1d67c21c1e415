"""What we send to each vendor, and what we make of a proper answer."""

import json
from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from integrations import apollo, instantly, millionverifier, openai, perplexity
from integrations.errors import FailureType, VendorError
from integrations.results import InstantlyCampaign, RateWindow, Usage
from tests.integrations import bodies
from tests.integrations.conftest import KEYS, Serve
from tests.integrations.wire import http

PRICES = {
    "apollo": {"credit": "0.02"},
    "millionverifier": {"credit": "0.004"},
    "perplexity": {"tokens": {"perplexity/sonar": ("1", "2")}},
    "openai": {"tokens": {"gpt-5": ("9", "9"), "gpt-5-mini": ("0.25", "2.00")}},
}


@pytest.fixture(autouse=True)
def prices(settings: Settings) -> None:
    settings.PRICES = PRICES


def test_apollo_search_sends_its_filters_in_the_query(serve: Serve) -> None:
    server = serve("apollo", http(200, bodies.APOLLO_FOUND))
    apollo.search_people(
        {
            "person_titles[]": ["head of data", "CTO"],
            "person_locations": ["Århus"],
            "include_similar_titles": False,
            "revenue_range[min]": 1000,
            "page": 9,
        },
        page=2,
        per_page=25,
    )
    assert (server.last.method, server.last.path, server.last.body) == ("POST", "/mixed_people/api_search", b"")
    assert server.last.query == [
        ("person_titles[]", "head of data"),
        ("person_titles[]", "CTO"),
        ("person_locations[]", "Århus"),
        ("include_similar_titles", "false"),
        ("revenue_range[min]", "1000"),
        ("page", "2"),
        ("per_page", "25"),
    ]
    assert server.last.headers["x-api-key"] == KEYS["apollo"]


def test_apollo_search_gives_ids_and_costs_nothing(serve: Serve) -> None:
    headers = {"x_rate_limit_minute": "200", "x_minute_requests_left": "7", "x_rate_limit_hourly": ""}
    serve("apollo", http(200, bodies.APOLLO_FOUND, **headers))
    page = apollo.search_people({"q_keywords": "data"}, page=1, per_page=25)
    ida, zed = page.people
    assert (page.total, page.usage, page.http_status) == (2, Usage(), 200)
    assert (ida.id, ida.first_name, ida.last_name_obfuscated, ida.company, ida.has_email) == (
        "6650aa01",
        "Ida",
        "Lo***e",
        "Acme",
        True,
    )
    assert (zed.title, zed.company, zed.has_email) == ("", "", False)
    assert page.limits is not None
    assert page.limits.windows == (RateWindow("requests", 60.0, 200, 7, None),)


@pytest.mark.parametrize(("said", "told"), [(False, False), (True, True), (None, True), ("maybe", True)])
def test_only_who_has_no_address_by_apollos_own_word_is_not_worth_a_credit(serve: Serve, said: Any, told: bool) -> None:
    serve("apollo", http(200, {"total_entries": 1, "people": [{"id": "6650aa01", "has_email": said}]}))
    assert apollo.search_people({}, page=1, per_page=25).people[0].has_email is told


@pytest.mark.parametrize("body", [{}, {"people": []}, {"total_entries": 1}, {"total_entries": "a lot", "people": []}])
def test_apollo_search_without_people_or_total_is_malformed(serve: Serve, body: Any) -> None:
    serve("apollo", http(200, body))
    with pytest.raises(VendorError) as caught:
        apollo.search_people({}, page=1, per_page=1)
    assert caught.value.failure_type == FailureType.MALFORMED


def test_apollo_reveal_is_aligned_with_the_ids_and_costs_fractions(serve: Serve) -> None:
    server = serve("apollo", http(200, bodies.APOLLO_REVEALED))
    reveal = apollo.reveal(["6650aa01", "6650aa02"])
    ida, nobody = reveal.matches
    assert server.last.json == {"details": [{"id": "6650aa01"}, {"id": "6650aa02"}]}
    assert server.last.query == [("reveal_personal_emails", "false"), ("reveal_phone_number", "false")]
    assert nobody is None
    assert ida is not None
    assert (ida.email, ida.email_status, ida.city, ida.state) == ("ida@acme.test", "verified", "Århus", "")
    assert (ida.name, ida.company, ida.company_domain) == ("Ida Locke", "Acme", "acme.test")
    assert reveal.usage == Usage(credits=Decimal("1.5"), cost_usd=Decimal("0.030"))
    assert reveal.request_id == "-1039995589705121900"


@pytest.mark.parametrize("email", [None, "", "email_not_unlocked@domain.com"])
def test_apollo_reveal_knows_an_address_that_is_none(serve: Serve, email: str | None) -> None:
    serve("apollo", http(200, bodies.APOLLO_REVEALED | {"matches": [bodies.APOLLO_PERSON | {"email": email}]}))
    (person,) = apollo.reveal(["6650aa01"]).matches
    assert person is not None
    assert person.email is None


def test_apollo_reveal_keeps_what_was_paid_for_when_rows_are_missing(serve: Serve) -> None:
    body = {**bodies.APOLLO_REVEALED, "matches": [bodies.APOLLO_PERSON], "credits_consumed": None}
    serve("apollo", http(200, body))
    reveal = apollo.reveal(["unknown", "6650aa01"])
    assert [person and person.id for person in reveal.matches] == [None, "6650aa01"]
    assert reveal.usage.credits == 1


def apollo_row(person_id: str | None, name: str = "") -> dict[str, Any]:
    return bodies.APOLLO_PERSON | {"id": person_id, "first_name": name or person_id}


A, B, C = apollo_row("a"), apollo_row("b"), apollo_row("c")


@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        ([A, B, C], ["a", "b", "c"]),
        ([C, A, B], ["a", "b", "c"]),
        ([B, A, None], ["a", "b", None]),
        ([None, C, None], [None, None, "c"]),
        ([B], [None, "b", None]),
        ([C, B], [None, "b", "c"]),
        ([B, B, A], ["a", "b", None]),
        ([A, B, C, None, None], ["a", "b", "c"]),
        ([], [None, None, None]),
        # Rows whose ids say nothing, or not all: the known go to their places, the others stay in theirs if it is free.
        ([apollo_row(None, "x"), apollo_row(None, "y"), None], ["x", "y", None]),
        ([apollo_row("merged", "x"), B, None], ["x", "b", None]),
        ([B, apollo_row("merged", "x"), None], ["x", "b", None]),
        ([apollo_row("stranger"), B], [None, "b", None]),
    ],
)
def test_apollo_reveal_puts_people_where_their_ids_were_asked_for(
    serve: Serve, matches: list[dict[str, Any] | None], expected: list[str | None]
) -> None:
    serve("apollo", http(200, bodies.APOLLO_REVEALED | {"matches": matches}))
    reveal = apollo.reveal(["a", "b", "c"])
    assert [person and person.first_name for person in reveal.matches] == expected


def test_apollo_reveal_that_failed_drops_nobody_and_books_what_it_cost(serve: Serve) -> None:
    serve("apollo", http(200, bodies.APOLLO_REVEALED | {"status": "failed", "error_message": "Internal error"}))
    with pytest.raises(VendorError) as caught:
        apollo.reveal(["6650aa01", "6650aa02"])
    assert caught.value.failure_type == FailureType.SERVER_ERROR
    assert caught.value.message == "HTTP 200: Internal error"
    assert caught.value.usage == Usage(credits=Decimal("1.5"), cost_usd=Decimal("0.030"))


@pytest.mark.parametrize("count", [0, 11])
def test_apollo_reveal_takes_one_to_ten(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 10"):
        apollo.reveal(["x"] * count)


@pytest.mark.parametrize(
    ("result", "credits"), [("ok", 1), ("catch_all", 0), ("unknown", 0), ("disposable", 1), ("invalid", 1)]
)
def test_millionverifier_charges_for_good_and_bad_only(serve: Serve, result: str, credits: int) -> None:
    server = serve("millionverifier", http(200, bodies.VERDICT | {"result": result}))
    verdict = millionverifier.verify("ida+x@acme.test")
    assert (verdict.result, verdict.subresult, verdict.credits_left) == (result, "ok", 941)
    assert verdict.usage == Usage(credits=Decimal(credits), cost_usd=credits * Decimal("0.004"))
    assert "ida%2Bx%40acme.test" in server.last.target
    assert server.last.path == "/api/v3/"


def test_millionverifier_decides_by_result_and_never_by_quality(serve: Serve) -> None:
    serve("millionverifier", http(200, bodies.VERDICT | {"quality": "good", "result": "", "resultcode": 6}))
    assert millionverifier.verify("ida@acme.test").result == "invalid"


@pytest.mark.parametrize(("ours", "theirs"), [(25.0, "15"), (1.0, "2"), (600.0, "60")])
def test_millionverifier_is_told_to_wait_less_than_we_do(
    serve: Serve, settings: Settings, ours: float, theirs: str
) -> None:
    server = serve("millionverifier", http(200, bodies.VERDICT), read_timeout=ours)
    millionverifier.verify("ida@acme.test")
    assert ("timeout", theirs) in server.last.query


def test_perplexity_gives_text_sources_and_the_vendors_own_price(serve: Serve) -> None:
    server = serve("perplexity", http(200, bodies.RESEARCH))
    research = perplexity.research(instructions="Two sentences.", prompt="What does Acme sell?")
    assert (research.text, research.sources) == ("It sells arms [1].", ["https://acme.test/p"])
    assert research.usage == Usage(tokens_in=40, tokens_out=18, cost_usd=Decimal("0.0053"))
    assert research.request_id == "resp_91"
    assert server.last.path == "/v1/agent"
    sent = server.last.json
    assert (sent["model"], sent["preset"]) == ("perplexity/sonar", "fast")
    assert (sent["instructions"], sent["input"]) == ("Two sentences.", "What does Acme sell?")
    assert server.last.headers["authorization"] == f"Bearer {KEYS['perplexity']}"


def test_perplexity_without_a_price_is_reckoned_by_our_table(serve: Serve) -> None:
    usage = {"input_tokens": 1_000_000, "output_tokens": 500_000, "total_tokens": 1_500_000}
    serve("perplexity", http(200, bodies.RESEARCH | {"usage": usage}))
    assert perplexity.research(instructions="i", prompt="p").usage.cost_usd == 2


def test_openai_gives_a_mail_and_its_price(serve: Serve, settings: Settings) -> None:
    settings.OPENAI_MODEL, settings.OPENAI_REASONING_EFFORT = "gpt-5-mini", "minimal"
    server = serve("openai", http(200, bodies.mail(), x_request_id="req_1"))
    mail = openai.write_mail(instructions="Write.", prompt="To Ida.")
    assert (mail.subject, mail.body, mail.request_id) == ("Hello Ida", "About arms.", "req_1")
    # Answered by a dated model, priced by the longest prefix: 400 in at 0.25, 120 out at 2.00 a million.
    assert mail.usage == Usage(tokens_in=400, tokens_out=120, cost_usd=Decimal("0.00034"))
    sent = server.last.json
    assert (server.last.path, sent["model"], sent["store"]) == ("/responses", "gpt-5-mini", False)
    assert sent["text"]["format"]["strict"] is True
    assert sent["reasoning"] == {"effort": "minimal"}


def test_of_the_models_own_effort_nothing_is_said(serve: Serve, settings: Settings) -> None:
    settings.OPENAI_REASONING_EFFORT = "default"
    server = serve("openai", http(200, bodies.mail()))
    openai.write_mail(instructions="Write.", prompt="To Ida.")
    assert "reasoning" not in server.last.json


@pytest.mark.parametrize(
    "text", ["Dear Ida", "[]", "{}", '{"subject": "s"}', '{"subject": " ", "body": "b"}', "{" * 9000]
)
def test_openai_text_that_is_no_mail_is_malformed_and_billed(serve: Serve, text: str) -> None:
    serve("openai", http(200, bodies.mail(text)))
    with pytest.raises(VendorError) as caught:
        openai.write_mail(instructions="i", prompt="p")
    assert caught.value.failure_type == FailureType.MALFORMED
    assert caught.value.usage is not None
    assert caught.value.usage.tokens_out == 120


def test_text_that_postgresql_would_refuse_is_cleaned(serve: Serve) -> None:
    serve("openai", http(200, bodies.mail(json.dumps({"subject": "a\x00b", "body": "c\ud800d 🦾"}))))
    mail = openai.write_mail(instructions="i", prompt="p")
    assert (mail.subject, mail.body) == ("ab", "cd 🦾")


LEAD = {"email": "ida@acme.test", "first_name": "Ida", "custom_variables": {"subject": "Hello", "body": "Arms."}}


@pytest.mark.parametrize(
    ("counter", "outcome"),
    [
        ("duplicated_leads", "duplicate"),
        ("duplicate_email_count", "duplicate"),
        ("in_blocklist", "blocked"),
        ("invalid_email_count", "invalid"),
        ("incomplete_count", "invalid"),
        ("skipped_count", "skipped"),
    ],
)
def test_instantly_says_why_a_lead_was_not_added(serve: Serve, counter: str, outcome: str) -> None:
    serve("instantly", http(200, bodies.NOT_UPLOADED | {counter: 1}))
    push = instantly.push(campaign_id="0c1d", lead=LEAD)
    assert (push.outcome, push.lead_id, push.usage) == (outcome, "", Usage())


def test_instantly_is_sent_one_lead_and_no_skip_flag(serve: Serve) -> None:
    server = serve("instantly", http(200, bodies.UPLOADED))
    push = instantly.push(campaign_id="0c1d", lead=LEAD)
    assert server.last.path == "/api/v2/leads/add"
    assert server.last.json == {"campaign_id": "0c1d", "leads": [LEAD]}
    assert (push.outcome, push.lead_id, push.remaining_in_plan, push.usage.credits) == ("pushed", "7aa0", 9992, 1)


def test_instantly_without_any_count_is_malformed(serve: Serve) -> None:
    serve("instantly", http(200, {"status": "success"}))
    with pytest.raises(VendorError) as caught:
        instantly.push(campaign_id="0c1d", lead=LEAD)
    assert caught.value.failure_type == FailureType.MALFORMED


def lead(number: int, email: str = "", campaign: str = "0c1d") -> dict[str, Any]:
    return {"id": f"lead-{number}", "email": email or f"{number}@acme.test", "campaign": campaign}


def test_instantly_finds_a_lead_of_this_campaign_only(serve: Serve) -> None:
    items = [lead(1), lead(2, "Ida@Acme.test", "another"), lead(3, "Ida@Acme.test")]
    server = serve("instantly", http(200, {"items": items}))
    assert instantly.find_lead("0c1d", "ida@acme.test") == "lead-3"
    assert server.last.json == {"campaign": "0c1d", "contacts": ["ida@acme.test"], "limit": 100}
    assert instantly.find_lead("0c1d", "zed@acme.test") is None


def test_instantly_searches_campaigns_by_name_on_one_page(serve: Serve) -> None:
    items = [bodies.CAMPAIGN, bodies.CAMPAIGN | {"id": "2", "status": 1}]
    server = serve("instantly", http(200, {"items": items, "next_starting_after": "a"}))
    assert instantly.find_campaigns("Autumn (7)") == [
        InstantlyCampaign("0c1d", "Autumn", 0),
        InstantlyCampaign("2", "Autumn", 1),
    ]
    assert [dict(request.query) for request in server.received] == [{"search": "Autumn (7)", "limit": "100"}]


def test_an_instantly_listing_without_items_is_malformed(serve: Serve) -> None:
    serve("instantly", http(200, {}))
    with pytest.raises(VendorError) as caught:
        instantly.find_lead("0c1d", "zed@acme.test")
    assert caught.value.failure_type == FailureType.MALFORMED


def test_an_instantly_campaign_of_ours_sends_each_leads_own_mail(serve: Serve) -> None:
    server = serve("instantly", http(200, bodies.CAMPAIGN))
    assert instantly.create_campaign("Autumn") == "0c1d"
    sent = server.last.json
    (variant,) = sent["sequences"][0]["steps"][0]["variants"]
    assert variant == {"subject": "{{subject}}", "body": "{{body}}"}
    assert sent["campaign_schedule"]["schedules"][0]["days"] == {
        "0": False, "1": True, "2": True, "3": True, "4": True, "5": True, "6": False,
    }  # fmt: skip


def test_an_instantly_campaign_is_asked_for_by_an_id_that_stays_in_its_place(serve: Serve) -> None:
    server = serve("instantly", http(200, bodies.CAMPAIGN))
    assert instantly.get_campaign("../leads?x") == InstantlyCampaign("0c1d", "Autumn", 0)
    assert server.last.target == "/api/v2/campaigns/..%2Fleads%3Fx"


def test_every_result_says_what_it_used_and_which_call_it_was(serve: Serve) -> None:
    serve("instantly", http(200, bodies.UPLOADED, cf_ray="8a1b-FRA"))
    push = instantly.push(campaign_id="0c1d", lead=LEAD)
    assert {"usage", "request_id", "http_status", "limits"} <= {part.name for part in fields(push)}
    assert (push.request_id, push.http_status, push.limits) == ("8a1b-FRA", 200, None)
