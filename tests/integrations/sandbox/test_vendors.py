"""Each vendor's own ways, beyond the shape of one answer."""

import json

import jsonschema
import pytest

from integrations.sandbox.instantly.workspace import campaign_id
from integrations.sandbox.world import people
from tests.integrations.sandbox.calls import CAMPAIGN, MAIL_SCHEMA, PROMPT, Client

SEARCH = "/mixed_people/api_search"


def found(client: Client, *params: tuple[str, object]) -> dict:
    response = client.call("apollo", "POST", SEARCH, params=params)
    assert response.status_code == 200, response.text
    return response.json()


# --- Apollo -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filter_", "holds"),
    [
        (("person_titles[]", "head"), lambda one: "head" in one.title.lower()),
        (("person_titles[]", "CTO"), lambda one: one.title == "CTO" or "CTO" in one.title.split()),
        (("person_locations[]", "Berlin, Germany"), lambda one: one.place.city == "Berlin"),
        (("person_locations[]", "Texas, US"), lambda one: one.place.state == "Texas"),
        (("person_seniorities[]", "c_suite"), lambda one: one.seniority == "c_suite"),
        (("organization_num_employees_ranges[]", "11,50"), lambda one: 11 <= one.company.employees <= 50),
        (("organization_num_employees_ranges[]", "1001,"), lambda one: one.company.employees > 1000),
        (("q_organization_domains_list[]", "amber-robotics.example"), lambda one: one.company.name == "Amber Robotics"),
        (("q_keywords", "renewables"), lambda one: one.company.industry == "renewables & environment"),
        (("organization_locations[]", "japan"), lambda one: one.company.place.country == "Japan"),
        (("contact_email_status[]", "unavailable"), lambda one: one.email is None),
    ],
)
def test_a_filter_narrows_to_those_for_whom_it_holds(client: Client, filter_, holds):
    answer = found(client, filter_, ("per_page", 100))
    assert 0 < answer["total_entries"] < people.PEOPLE
    assert all(holds(people.by_id(row["id"])) for row in answer["people"])
    outside = sum(not holds(one) for one in map(people.person, range(2000)) if one.title)
    assert outside, "the filter's condition can fail"


def test_filters_narrow_together(client: Client):
    germans = ("person_locations[]", "Germany")
    chiefs = ("person_seniorities[]", "founder")
    both = found(client, germans, chiefs)["total_entries"]
    assert 0 < both < min(found(client, germans)["total_entries"], found(client, chiefs)["total_entries"])


def test_a_search_may_find_nobody(client: Client):
    answer = found(client, ("q_organization_domains_list[]", "nowhere.example"))
    assert answer == {"total_entries": 0, "people": []}


def test_pages_are_disjoint_and_complete(client: Client):
    query = [("person_titles[]", "cto"), ("person_locations[]", "Germany"), ("per_page", 50)]
    pages = [found(client, *query, ("page", page)) for page in range(1, 6)]
    ids = [row["id"] for page in pages for row in page["people"]]
    assert {page["total_entries"] for page in pages} == {len(ids)}
    assert len(set(ids)) == len(ids) > 50
    assert pages[-1]["people"] == []


def test_a_search_shows_neither_address_nor_surname(client: Client):
    answer = found(client, ("per_page", 100))
    for row in answer["people"]:
        person = people.by_id(row["id"])
        assert person
        assert person.last_name not in row["last_name_obfuscated"]
        assert "@" not in json.dumps(row)
        assert row["has_email"] == (person.email is not None)


@pytest.mark.parametrize(
    "params",
    [
        [("page", "501"), ("per_page", "100")],
        [("page", "0")],
        [("per_page", "101")],
        [("page", "x")],
        [("organization_num_employees_ranges[]", "many")],
    ],
)
def test_a_search_that_cannot_be_read_is_refused(client: Client, params):
    response = client.call("apollo", "POST", SEARCH, params=params)
    assert (response.status_code, response.json()) == (422, {"error": "Invalid parameters"})


def test_search_parameters_in_a_body_are_not_read(client: Client):
    """The document puts them into the query string only."""
    response = client.call("apollo", "POST", SEARCH, json={"person_titles": ["cto"]})
    assert response.json()["total_entries"] == people.PEOPLE


@pytest.mark.parametrize(
    ("details", "code"),
    [([], "INVALID_REQUEST"), ([{"id": people.person_id(number)} for number in range(11)], "RECORD_LIMIT_EXCEEDED")],
)
def test_a_reveal_takes_one_to_ten_people(client: Client, details, code):
    response = client.call("apollo", "POST", "/people/bulk_match", json={"details": details})
    assert (response.status_code, response.json()["error_code"]) == (400, code)


def test_a_reveal_that_cannot_be_read_is_refused(client: Client):
    response = client.call("apollo", "POST", "/people/bulk_match", json={"details": "everybody"})
    assert (response.status_code, response.json()["error_code"]) == (422, "UNKNOWN_ERROR")


def test_the_old_search_is_out_of_scope(client: Client):
    response = client.call("apollo", "POST", "/mixed_people/search")
    assert (response.status_code, response.json()["error_code"]) == (403, "API_INACCESSIBLE")


def test_apollo_states_its_limits_but_not_on_refusals(client: Client):
    headers = client.paid("apollo").headers
    assert headers["x-rate-limit-minute"] == "1000"
    assert headers["x-rate-limit-hourly"] == ""
    client.key = "bad-key"
    assert not any(name.startswith("x-") for name in client.paid("apollo").headers)


# --- MillionVerifier --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "result", "error"),
    [
        ("API_KEY_FOR_OK", "ok", ""),
        ("API_KEY_FOR_TEST_CATCH_ALL", "catch_all", ""),
        ("API_KEY_FOR_UNKOWN", "unknown", ""),
        ("API_KEY_FOR_DISPOSABLE", "disposable", ""),
        ("API_KEY_FOR_UNVERIFIED", "unverified", ""),
        ("API_KEY_FOR_ERROR_INSUFFICIENT_CREDITS", "error", "insufficient_credits"),
        ("API_KEY_FOR_ERROR_IP_ADDRESS_BLOCKED", "error", "ip_address_blocked"),
        ("API_KEY_FOR_ERROR_NO_EMAIL", "error", "No email specified"),
    ],
)
def test_the_demo_keys_answer_on_demand_and_free(client: Client, key, result, error):
    client.key = key
    answer = client.paid("millionverifier")
    assert (answer.status_code, answer.json()["result"], answer.json()["error"]) == (200, result, error)
    assert answer.json()["livemode"] is False
    assert client.bill("millionverifier")["charged"] == 0


def test_an_address_must_be_given(client: Client):
    assert client.paid("millionverifier", "").json()["error"] == "No email specified"


# --- Perplexity -------------------------------------------------------------------------------------------------------


def texts(answer: dict) -> str:
    return "".join(
        part["text"]
        for item in answer["output"]
        if item["type"] == "message"
        for part in item["content"]
        if part["type"] == "output_text"
    )


def test_research_names_company_and_person_and_cites(client: Client):
    answer = client.paid("perplexity").json()
    assert "Acme Robotics" in texts(answer)
    assert "Ida Locke" in texts(answer)
    search = next(item for item in answer["output"] if item["type"] == "search_results")
    assert [result["id"] for result in search["results"]] == [1, 2]
    cost = answer["usage"]["cost"]
    parts = cost["input_cost"] + cost["output_cost"] + cost["tool_calls_cost"]
    assert cost["total_cost"] == pytest.approx(parts)


@pytest.mark.parametrize("path", ["/v1/agent", "/v1/responses"])
def test_the_agent_answers_under_both_names_and_keeps_its_answer(client: Client, path):
    answer = client.call("perplexity", "POST", path, json={"model": "perplexity/sonar", "input": "Hello"}).json()
    assert client.call("perplexity", "GET", f"{path}/{answer['id']}").json() == answer
    assert client.call("perplexity", "GET", f"{path}/resp_unknown").status_code == 404


def test_a_tool_that_is_merely_offered_is_not_used(client: Client):
    body = {"model": "perplexity/sonar", "input": "Hello", "tools": [{"type": "web_search"}]}
    offered = client.call("perplexity", "POST", "/v1/agent", json=body).json()
    forced = client.call("perplexity", "POST", "/v1/agent", json=body | {"tool_choice": "required"}).json()
    assert [len(answer["output"]) for answer in (offered, forced)] == [1, 2]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, "invalid_request"),
        ({"input": "Hello"}, "invalid_request"),
        ({"input": "Hello", "model": "sonar"}, "invalid_model"),
        ({"input": "Hello", "preset": "slow"}, "invalid_parameter"),
        ({"input": "Hello", "preset": "fast", "max_steps": 11}, "invalid_parameter"),
        ({"input": "Hello", "preset": "fast", "stream": True}, "invalid_parameter"),
    ],
)
def test_a_bad_request_to_the_agent_is_explained(client: Client, body, kind):
    response = client.call("perplexity", "POST", "/v1/agent", json=body)
    assert (response.status_code, response.json()["error"]["type"]) == (400, kind)
    assert response.json()["error"]["code"] == 400


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/sonar"])
def test_sonar_is_retired(client: Client, path):
    response = client.call("perplexity", "POST", path, json={"model": "sonar", "messages": []})
    assert response.status_code == 403
    assert response.json()["error"]["type"] == "chat_completions_not_available"


def test_a_background_answer_is_fetched_later(client: Client):
    body = {"preset": "high", "input": "Hello", "background": True}
    answer = client.call("perplexity", "POST", "/v1/agent", json=body).json()
    assert (answer["status"], answer["output"]) == ("queued", [])
    later = client.call("perplexity", "GET", f"/v1/responses/{answer['id']}").json()
    assert later["status"] == "completed"


@pytest.mark.parametrize("service", ["perplexity", "openai"])
@pytest.mark.parametrize("tag", ["failed", "incomplete", "cancelled"])
def test_a_tagged_lead_goes_wrong_by_itself(client: Client, service, tag):
    answer = client.paid(service, f"ida+{tag}@acme.example").json()
    assert answer["status"] == tag
    assert client.bill(service)["charged"] == (1 if tag == "incomplete" else 0)


@pytest.mark.parametrize("service", ["perplexity", "openai"])
def test_too_small_a_limit_cuts_the_answer(client: Client, service):
    path, model = {"perplexity": ("/v1/agent", "perplexity/sonar"), "openai": ("/responses", "gpt-6.1-terra")}[service]
    body = {"model": model, "input": PROMPT, "max_output_tokens": 16}
    answer = client.call(service, "POST", path, json=body).json()
    assert answer["status"] == "incomplete"
    assert answer["incomplete_details"] == {"reason": "max_output_tokens"}
    assert answer["usage"]["output_tokens"] == 16


def test_reasoning_uses_the_same_limit_as_the_text(client: Client):
    body = {"model": "gpt-6.1-terra", "input": PROMPT, "max_output_tokens": 2000, "reasoning": {"effort": "high"}}
    answer = client.call("openai", "POST", "/responses", json=body).json()
    thought = answer["usage"]["output_tokens_details"]["reasoning_tokens"]
    assert answer["status"] == "completed"
    assert 0 < thought < answer["usage"]["output_tokens"] < 2000
    answer = client.call("openai", "POST", "/responses", json=body | {"max_output_tokens": thought}).json()
    assert (answer["status"], texts(answer)) == ("incomplete", "")
    refused = client.call("openai", "POST", "/responses", json=body | {"reasoning": {"effort": "hard"}})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "reasoning.effort")


def test_a_model_that_was_shut_down_is_gone_and_the_end_of_others_is_foretold(client: Client):
    listed = {row["id"]: row["shutdown_date"] for row in client.call("openai", "GET", "/models").json()["data"]}
    assert listed["gpt-6.1-terra"] is None
    assert listed["gpt-5.1"] == "2027-04-01"
    assert "o1-mini" not in listed
    refused = client.call("openai", "POST", "/responses", json={"model": "o1-mini", "input": PROMPT})
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
    assert client.call("openai", "GET", "/models/o1-mini").status_code == 404


# --- OpenAI -----------------------------------------------------------------------------------------------------------


def test_a_mail_names_company_and_person(client: Client):
    mail = json.loads(texts(client.paid("openai").json()))
    assert set(mail) == {"subject", "body"}
    assert "Acme Robotics" in mail["subject"]
    assert mail["body"].startswith("Hi Ida,")
    assert not {"{", "}", "://"} & set(mail["body"])


def test_a_prompt_without_labels_is_read_from_its_address(client: Client):
    body = {"model": "gpt-6.1-terra", "input": "Write to ida.locke@amber-robotics.example, please."}
    text = texts(client.call("openai", "POST", "/responses", json=body).json())
    assert text.startswith("Hi Ida,")
    assert "Amber Robotics" in text


def test_a_hostile_name_does_not_break_the_mail(client: Client):
    prompt = "Name: {{Robert}} <script>\nCompany: Drop [tables] https://evil.example\nEmail: ida.locke@acme.example"
    text = texts(client.call("openai", "POST", "/responses", json={"model": "gpt-6.1-terra", "input": prompt}).json())
    assert not {"{", "<", "["} & set(text)
    assert "://" not in text


@pytest.mark.parametrize(
    "schema",
    [
        MAIL_SCHEMA,
        {
            "type": "object",
            "properties": {
                "subject": {"type": "string", "maxLength": 20},
                "score": {"type": "integer", "minimum": 5},
                "good": {"type": "boolean"},
                "tone": {"enum": ["warm", "cold"]},
                "lines": {"type": "array", "items": {"type": "string"}, "minItems": 2},
                "person": {"$ref": "#/$defs/person"},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "title": {"type": ["null", "string"]},
            },
            "required": ["subject", "score", "good", "tone", "lines", "person", "note", "title"],
            "additionalProperties": False,
            "$defs": {
                "person": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}},
                    "required": ["name"],
                    "additionalProperties": False,
                }
            },
        },
    ],
)
def test_structured_output_fits_any_schema_in_all_three_forms(client: Client, schema):
    format_ = {"type": "json_schema", "name": "answer", "strict": True, "schema": schema}
    nested = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    messages = [{"role": "user", "content": PROMPT}]
    response = client.call(
        "openai", "POST", "/responses", json={"model": "gpt-6.1-terra", "input": PROMPT, "text": {"format": format_}}
    )
    chat = client.call(
        "openai",
        "POST",
        "/chat/completions",
        json={"model": "gpt-6.1-terra", "messages": messages, "response_format": nested},
    )
    agent = client.call(
        "perplexity", "POST", "/v1/agent", json={"preset": "fast", "input": PROMPT, "response_format": nested}
    )
    for text in (
        texts(response.json()),
        chat.json()["choices"][0]["message"]["content"],
        texts(agent.json()),
    ):
        jsonschema.validate(json.loads(text), schema)


def test_a_strict_schema_must_be_closed_and_complete(client: Client):
    schema = {"type": "object", "properties": {"subject": {"type": "string"}}, "required": []}
    for wrong in (schema, schema | {"additionalProperties": False}):
        format_ = {"type": "json_schema", "name": "mail", "strict": True, "schema": wrong}
        body = {"model": "gpt-6.1-terra", "input": "Hello", "text": {"format": format_}}
        response = client.call("openai", "POST", "/responses", json=body)
        assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_json_schema")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"input": "Hello"}, 400, "missing_required_parameter"),
        ({"model": "gpt-6.1-terra"}, 400, "missing_required_parameter"),
        ({"model": "llama", "input": "Hello"}, 404, "model_not_found"),
        ({"model": "gpt-6.1-terra", "input": "Hello", "max_output_tokens": 3}, 400, "integer_below_min_value"),
        ({"model": "gpt-6.1-terra", "input": "Hello", "stream": True}, 400, "unsupported_value"),
    ],
)
def test_a_bad_request_to_openai_is_explained(client: Client, body, status, code):
    response = client.call("openai", "POST", "/responses", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_a_refusal_is_no_text(client: Client):
    (message,) = client.paid("openai", "ida+refusal@acme.example").json()["output"]
    assert [part["type"] for part in message["content"]] == ["refusal"]
    body = {"model": "gpt-6.1-terra", "messages": [{"role": "user", "content": "ida+refusal@acme.example"}]}
    choice = client.call("openai", "POST", "/chat/completions", json=body).json()["choices"][0]
    assert choice["message"]["content"] is None
    assert choice["message"]["refusal"]


def test_openai_names_each_request_and_states_its_limits(client: Client):
    first, second = client.paid("openai").headers, client.paid("openai").headers
    assert first["x-request-id"] != second["x-request-id"]
    assert first["x-ratelimit-limit-requests"] == "10000"
    assert {"openai-processing-ms", "openai-version", "x-ratelimit-remaining-tokens"} <= {
        name.lower() for name in first
    }


def test_models_are_listed_and_shown(client: Client):
    names = [model["id"] for model in client.probe("openai").json()["data"]]
    assert client.call("openai", "GET", f"/models/{names[0]}").json()["id"] == names[0]
    assert client.call("openai", "GET", "/models/llama").status_code == 404


# --- Instantly --------------------------------------------------------------------------------------------------------


def add(client: Client, *emails: str, **options: object) -> dict:
    body = {"campaign_id": CAMPAIGN, "leads": [{"email": email} for email in emails], **options}
    response = client.call("instantly", "POST", "/api/v2/leads/add", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def other_campaign(client: Client) -> str:
    (item,) = client.call("instantly", "GET", "/api/v2/campaigns", params=[("search", "founders")]).json()["items"]
    return item["id"]


def test_bulk_counts_each_lead_once(client: Client):
    add(client, "there@a.example")
    answer = add(
        client,
        *("new@a.example", "THERE@a.example", "nonsense", "new@a.example", "x@blocked.example", "next@a.example"),
        blocklist_id=CAMPAIGN,
    )
    assert [(row["index"], row["email"]) for row in answer.pop("created_leads")] == [
        (0, "new@a.example"),
        (5, "next@a.example"),
    ]
    assert answer == {
        "status": "success",
        "total_sent": 6,
        "leads_uploaded": 2,
        "duplicated_leads": 1,
        "invalid_email_count": 1,
        "duplicate_email_count": 1,
        "in_blocklist": 1,
        "blocklist_used": CAMPAIGN,
        "skipped_count": 0,
        "incomplete_count": 0,
        "remaining_in_plan": 99_997,
    }


def test_in_bulk_skip_if_in_campaign_means_any_campaign(client: Client):
    add(client, "ida@a.example")
    skipped = add(client, "ida@a.example", campaign_id=other_campaign(client), skip_if_in_campaign=True)
    assert (skipped["leads_uploaded"], skipped["skipped_count"]) == (0, 1)
    added = add(client, "ida@a.example", campaign_id=other_campaign(client))
    assert (added["leads_uploaded"], added["skipped_count"]) == (1, 0)


def test_one_by_one_it_means_this_campaign(client: Client):
    add(client, "ida@a.example")
    lead = {"email": "ida@a.example", "skip_if_in_campaign": True}
    elsewhere = client.call(
        "instantly", "POST", "/api/v2/leads", json=lead | {"campaign": other_campaign(client)}
    ).json()
    here = client.call("instantly", "POST", "/api/v2/leads", json=lead | {"campaign": CAMPAIGN}).json()
    assert elsewhere["campaign"] == other_campaign(client)
    assert len(client.bill("instantly")["pushes"][CAMPAIGN]) == 1
    assert here["id"] != elsewhere["id"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"campaign_id": CAMPAIGN, "leads": [{"email": "a@b.example"}], "dry_run": True}, "additional properties"),
        ({"campaign_id": CAMPAIGN, "leads": [{"email": "a@b.example", "score": 7}]}, "additional properties"),
        ({"campaign_id": CAMPAIGN, "list_id": CAMPAIGN, "leads": [{"email": "a@b.example"}]}, "not both"),
        ({"leads": [{"email": "a@b.example"}]}, "not both"),
        ({"campaign_id": CAMPAIGN}, "required property 'leads'"),
        ({"campaign_id": CAMPAIGN, "leads": []}, "fewer than 1"),
        ({"campaign_id": CAMPAIGN, "leads": [{"email": 7}]}, "must be string,null"),
        (
            {"campaign_id": CAMPAIGN, "leads": [{"email": "a@b.example", "custom_variables": {"a": {}}}]},
            "must be string,number,boolean,null",
        ),
    ],
)
def test_a_body_that_the_document_does_not_allow_is_refused(client: Client, body, words):
    response = client.call("instantly", "POST", "/api/v2/leads/add", json=body)
    assert response.status_code == 400
    assert words in response.json()["message"]
    assert client.bill("instantly")["charged"] == 0


def test_a_body_that_is_no_json_is_refused(client: Client):
    response = client.call("instantly", "POST", "/api/v2/leads/add", data="{")
    assert response.status_code == 400


@pytest.mark.parametrize("campaign", ["f9cc070d-8dba-4341-b847-f083c358e460", "autumn"])
def test_an_unknown_campaign_is_not_found(client: Client, campaign):
    body = {"campaign_id": campaign, "leads": [{"email": "a@b.example"}]}
    assert client.call("instantly", "POST", "/api/v2/leads/add", json=body).status_code == 404
    assert client.call("instantly", "GET", f"/api/v2/campaigns/{campaign}").status_code == 404


def test_a_campaign_made_before_a_restart_is_recognised(client: Client):
    """Whoever holds its id need not know that the sandbox was started again."""
    identifier = campaign_id("made by a sandbox that is gone")
    assert client.call("instantly", "GET", f"/api/v2/campaigns/{identifier}").status_code == 200
    assert add(client, "ida@a.example", campaign_id=identifier)["leads_uploaded"] == 1


def test_a_lead_is_found_by_campaign_and_address(client: Client):
    add(client, "ida@a.example", "tom@a.example")
    add(client, "ida@a.example", campaign_id=other_campaign(client))

    def emails(**query: object) -> list[str]:
        answer = client.call("instantly", "POST", "/api/v2/leads/list", json=query).json()
        return [lead["email"] for lead in answer["items"]]

    assert emails() == ["ida@a.example", "tom@a.example", "ida@a.example"]
    assert emails(search="IDA@a") == ["ida@a.example", "ida@a.example"]
    assert emails(contacts=["Ida@a.example"], campaign=CAMPAIGN) == ["ida@a.example"]
    assert emails(search="nobody") == []


def test_a_lead_keeps_what_it_was_given(client: Client):
    lead = {"email": "ida@a.example", "first_name": "Ida", "custom_variables": {"subject": "Hello", "score": 7}}
    made = client.call("instantly", "POST", "/api/v2/leads", json=lead | {"campaign": CAMPAIGN}).json()
    kept = client.call("instantly", "GET", f"/api/v2/leads/{made['id']}").json()
    assert kept["payload"] == {"email": "ida@a.example", "firstName": "Ida", "subject": "Hello", "score": 7}


def test_the_last_page_still_has_a_cursor(client: Client):
    add(client, *(f"lead{number}@a.example" for number in range(5)))
    seen: list[str] = []
    sizes: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.call("instantly", "POST", "/api/v2/leads/list", json={"limit": 2, **cursor}).json()
        sizes.append(len(page["items"]))
        seen += [lead["email"] for lead in page["items"]]
        if not page["items"]:
            break
        cursor = {"starting_after": page["next_starting_after"]}
    assert seen == [f"lead{number}@a.example" for number in range(5)]
    assert sizes == [2, 2, 1, 0]


def test_a_campaign_is_made_as_a_draft_and_activated(client: Client):
    schedule = {
        "schedules": [
            {
                "name": "Weekdays",
                "timing": {"from": "09:00", "to": "17:00"},
                "days": {"1": True},
                "timezone": "America/Chicago",
            }
        ]
    }
    made = client.call("instantly", "POST", "/api/v2/campaigns", json={"name": "New", "campaign_schedule": schedule})
    campaign = made.json()
    assert campaign["status"] == 0
    launched = client.call("instantly", "GET", "/api/v2/campaigns/count-launched").json()["count"]
    active = client.call("instantly", "POST", f"/api/v2/campaigns/{campaign['id']}/activate").json()
    assert active["status"] == 1
    assert client.call("instantly", "GET", "/api/v2/campaigns/count-launched").json()["count"] == launched + 1
    assert add(client, "ida@a.example", campaign_id=campaign["id"])["leads_uploaded"] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"campaign_schedule": {}}, "schedules"),
        (
            {"campaign_schedule": {"schedules": [{"name": "x", "timing": {}, "days": {}, "timezone": "UTC"}]}},
            "timezone",
        ),
        ({"colour": "red"}, "additional properties"),
    ],
)
def test_a_campaign_that_the_document_does_not_allow_is_refused(client: Client, change, words):
    body = {"name": "New", "campaign_schedule": {"schedules": []}} | change
    response = client.call("instantly", "POST", "/api/v2/campaigns", json=body)
    assert response.status_code == 400
    assert words in response.json()["message"]
