"""The books: what is noted, what is charged, what is charged twice."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from integrations.sandbox.instantly.workspace import Workspace
from integrations.sandbox.world import people
from tests.integrations.sandbox.calls import ADDRESS, CAMPAIGN, PROMPT, SERVICES, Client, revealable


def test_calls_are_listed_in_order_with_time_and_key(client: Client):
    before = time.time()
    for service in SERVICES:
        client.paid(service)
    calls = client.calls()
    assert [call["service"] for call in calls] == list(SERVICES)
    assert [call["seq"] for call in calls] == list(range(calls[0]["seq"], calls[0]["seq"] + 5))
    assert before <= calls[0]["at"] <= calls[-1]["at"] <= time.time()
    assert all(call["at"] <= call["ended"] for call in calls)
    assert calls[0]["key"] == revealable().id
    assert {call["key"] for call in calls[1:]} == {ADDRESS}


def test_since_lists_what_came_after(client: Client):
    for _ in range(5):
        client.probe("openai")
    third = client.calls()[2]["seq"]
    assert [call["seq"] for call in client.control("GET", f"calls?since={third}")] == [third + 1, third + 2]
    assert client.control("GET", f"calls?since={third + 2}") == []


def test_no_path_holds_a_key(client: Client):
    client.key = "secret-key"
    client.paid("millionverifier")
    (call,) = client.calls()
    assert call["path"] == "/api/v3/"
    assert "secret-key" not in str(call)


def test_the_bill_adds_up(client: Client):
    for address in ("a+ok@x.example", "b+ok@x.example", "a+ok@x.example", "c+catch_all@x.example"):
        client.paid("millionverifier", address)
    client.probe("millionverifier")
    assert client.bill("millionverifier") == {
        "calls": 5,
        "probes": 1,
        "charged": 3,
        "distinct_keys": 2,
        "keys_charged_more_than_once": {"a+ok@x.example": 2},
    }


def test_the_bill_is_the_sum_of_the_calls(client: Client):
    for service in SERVICES:
        client.break_(service, "server_error", share=0.5, latency_ms=0)
        for number in range(6):
            client.paid(service, f"lead{number}+ok@x.example")
    for service in SERVICES:
        bill, calls = client.bill(service), client.calls(service)
        assert bill["calls"] == len(calls) == 6
        assert bill["charged"] == sum(call["charged"] for call in calls) == 3


@pytest.mark.parametrize(
    ("tag", "charged"), [("ok", 1), ("invalid", 1), ("disposable", 1), ("catch_all", 0), ("unknown", 0)]
)
def test_good_and_bad_verdicts_cost_a_credit_risky_ones_none(client: Client, tag, charged):
    client.paid("millionverifier", f"ida+{tag}@acme.example")
    assert client.bill("millionverifier")["charged"] == charged


def test_an_enrichment_costs_a_credit_for_each_person_with_data(client: Client):
    found = revealable()
    without = next(
        person for number in range(people.PEOPLE) if (person := people.person(number)).matched and not person.email
    )
    unmatched = next(person for number in range(people.PEOPLE) if not (person := people.person(number)).matched)
    details = [{"id": found.id}, {"id": without.id}, {"id": unmatched.id}, {"id": found.id}]

    answer = client.call("apollo", "POST", "/people/bulk_match", json={"details": details}).json()

    assert [bool(match) for match in answer["matches"]] == [True, True, False, True]
    assert (answer["credits_consumed"], answer["unique_enriched_records"], answer["missing_records"]) == (1, 1, 1)
    (call,) = client.calls("apollo")
    assert call["keys"] == [detail["id"] for detail in details]
    assert (call["charged"], call["charges"]) == (1, {found.id: 1})


def test_revealing_again_charges_again(client: Client):
    client.paid("apollo")
    client.paid("apollo")
    assert client.bill("apollo")["keys_charged_more_than_once"] == {revealable().id: 2}


def test_an_apollo_search_is_free(client: Client):
    client.call("apollo", "POST", "/mixed_people/api_search")
    assert client.bill("apollo")["charged"] == 0


def test_the_balance_goes_down_with_the_bill(client: Client):
    before = client.probe("millionverifier").json()["credits"]
    assert client.paid("millionverifier").json()["credits"] == before - 1
    assert client.probe("millionverifier").json()["credits"] == before - 1


def test_a_lead_pushed_twice_in_bulk_is_a_duplicate_and_charged_once(client: Client):
    answers = [client.paid("instantly").json() for _ in range(2)]
    assert [answer["leads_uploaded"] for answer in answers] == [1, 0]
    assert [answer["duplicated_leads"] for answer in answers] == [0, 1]
    bill = client.bill("instantly")
    assert (bill["charged"], bill["pushes"]) == (1, {CAMPAIGN: {ADDRESS: 1}})
    assert bill["added_more_than_once"] == {}


def test_an_address_truly_added_twice_is_found(client: Client):
    """One by one, without a skip flag, nothing holds Instantly back."""
    for _ in range(2):
        client.call("instantly", "POST", "/api/v2/leads", json={"campaign": CAMPAIGN, "email": "Ida@acme.example"})
    bill = client.bill("instantly")
    assert bill["added_more_than_once"] == {CAMPAIGN: {"ida@acme.example": 2}}
    assert bill["keys_charged_more_than_once"] == {"ida@acme.example": 2}


def test_one_address_pushed_by_many_at_once_is_added_once(client: Client, monkeypatch):
    look = Workspace.member

    def look_slowly(self: Workspace, container: str, email: str) -> object:
        found = look(self, container, email)
        time.sleep(0.005)  # widens the gap between looking and adding, which the lock must cover
        return found

    def push(_: int) -> int:
        with Client(client.url) as other:
            uploaded: int = other.paid("instantly").json()["leads_uploaded"]
            return uploaded

    monkeypatch.setattr(Workspace, "member", look_slowly)
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(push, range(24))) == 1


@pytest.mark.parametrize("service", ["perplexity", "openai"])
def test_the_key_of_a_prompt_is_its_address(client: Client, service):
    client.paid(service, "Ida.Locke@Acme.example")
    assert client.calls(service)[0]["key"] == "ida.locke@acme.example"


def test_the_key_of_a_prompt_without_an_address_is_a_hash_of_it(client: Client):
    for prompt in ("One company", "Another company", "One company"):
        client.call("openai", "POST", "/responses", json={"model": "gpt-6.1-terra", "input": prompt})
    keys = [call["key"] for call in client.calls("openai")]
    assert keys[0].startswith("input:")
    assert (keys[0] == keys[2], keys[0] == keys[1]) == (True, False)


def test_the_senders_own_address_is_not_the_lead(client: Client):
    messages = [
        {"role": "system", "content": "You write for sales@sender.example."},
        {"role": "user", "content": PROMPT.format(address="ida@acme.example")},
    ]
    client.call("openai", "POST", "/chat/completions", json={"model": "gpt-6.1-terra", "messages": messages})
    assert client.calls()[0]["key"] == "ida@acme.example"


def test_a_client_that_leaves_is_noted_and_charged(client: Client):
    client.break_("openai", "none", latency_ms=400)
    with pytest.raises(requests.exceptions.ReadTimeout):
        client.paid("openai", timeout=0.1)
    (running,) = client.calls("openai")
    assert (running["status"], running["ended"]) == (None, None)
    deadline = time.monotonic() + 5
    while not (ended := client.calls("openai")[0])["ended"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (ended["status"], ended["charged"]) == (None, 1)
    assert ended["ended"]


def test_reset_forgets_calls_faults_and_leads(client: Client):
    client.paid("instantly")
    last = client.calls()[-1]["seq"]
    client.break_("openai", "server_error")
    client.control("POST", "reset")
    assert client.calls() == []
    assert client.control("GET", "openai")["fault"] == "none"
    assert client.bill("instantly")["pushes"] == {}
    assert client.paid("instantly").json()["leads_uploaded"] == 1
    # Numbering goes on, so that a reader's `since` misses nothing.
    assert client.calls()[0]["seq"] == last + 1


def test_a_path_that_does_not_exist_is_noted_too(client: Client):
    assert client.call("openai", "POST", "/embeddings").status_code == 404
    assert client.calls()[0]["path"] == "/embeddings"
