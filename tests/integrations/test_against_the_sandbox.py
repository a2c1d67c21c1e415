"""The clients and the sandbox, which were written apart, must agree: every call works, every fault is what it is."""

from collections.abc import Callable, Iterator

import pytest
import requests
from pytest_django import Settings

from circuitbreakers.services import SERVICES
from integrations import apollo, instantly, millionverifier, openai, perplexity
from integrations.errors import FailureType, VendorError
from integrations.sandbox import Sandbox

PATHS = {
    "apollo": "/apollo/api/v1",
    "millionverifier": "/millionverifier",
    "perplexity": "/perplexity",
    "openai": "/openai/v1",
    "instantly": "/instantly",
}
EMAIL = "ida@acme.example"
LEAD = {"email": EMAIL, "first_name": "Ida", "custom_variables": {"subject": "Hello", "body": "Arms."}}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with Sandbox(port=0) as running:
        yield running.url


@pytest.fixture(autouse=True)
def pointed_at_it(sandbox: str, vendors: Settings) -> None:
    requests.post(f"{sandbox}/_control/reset", timeout=5).raise_for_status()
    for service, path in PATHS.items():
        vendors.VENDORS[service] |= {"base_url": sandbox + path, "api_key": f"sandbox-{service}-key"}


def prepared(service: str) -> Callable[[], object]:
    """The paid call of a service, what it needs beforehand already done."""
    if service == "apollo":
        ids = [person.id for person in apollo.search_people({}, page=1, per_page=10).people]
        return lambda: apollo.reveal(ids)
    if service == "instantly":
        campaign = instantly.create_campaign("Autumn")
        return lambda: instantly.push(campaign_id=campaign, lead=LEAD)
    return {
        "millionverifier": lambda: millionverifier.verify(EMAIL),
        "perplexity": lambda: perplexity.research(instructions="Two sentences.", prompt="What does Acme sell?"),
        "openai": lambda: openai.write_mail(instructions="Write a mail.", prompt="To Ida at Acme."),
    }[service]


FAULTS = {
    "server_error": FailureType.SERVER_ERROR,
    "timeout": FailureType.TIMEOUT,
    "connection_reset": FailureType.CONNECTION,
    "rate_limit": FailureType.RATE_LIMIT,
    "quota_exhausted": FailureType.QUOTA_EXHAUSTED,
    "bad_key": FailureType.AUTH,
    "malformed": FailureType.MALFORMED,
    "html": FailureType.MALFORMED,
}
# A success that hides a failure. At Apollo it is that nobody matched, which is no failure.
SILENT = {
    "millionverifier": FailureType.SERVER_ERROR,
    "perplexity": FailureType.SERVER_ERROR,
    "openai": FailureType.MALFORMED,
    "instantly": FailureType.MALFORMED,
}


def set_fault(sandbox: str, service: str, **fault: object) -> None:
    requests.put(f"{sandbox}/_control/{service}", json=fault, timeout=5).raise_for_status()


def failure(service: str, sandbox: str, vendors: Settings, fault: str, **more: object) -> VendorError:
    call = prepared(service)
    vendors.VENDORS[service] |= {"read_timeout": 0.5, "deadline": 1.0}
    set_fault(sandbox, service, fault=fault, **more)
    with pytest.raises(VendorError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_taken_for_what_it_is(service: str, fault: str, sandbox: str, vendors: Settings) -> None:
    assert failure(service, sandbox, vendors, fault).failure_type == FAULTS[fault]


@pytest.mark.parametrize("service", SILENT)
def test_a_failure_hidden_in_a_success_is_found(service: str, sandbox: str, vendors: Settings) -> None:
    error = failure(service, sandbox, vendors, "silent")
    assert (error.failure_type, error.http_status) == (SILENT[service], 200)


def test_apollo_matching_nobody_is_no_failure(sandbox: str) -> None:
    set_fault(sandbox, "apollo", fault="silent")
    revealed = apollo.reveal(["a", "b"])
    assert (revealed.matches, revealed.usage.credits) == ([None, None], 0)


# Neither of the other two sends a Retry-After.
@pytest.mark.parametrize("service", ["apollo", "perplexity", "openai"])
def test_a_wish_to_wait_arrives(service: str, sandbox: str, vendors: Settings) -> None:
    assert failure(service, sandbox, vendors, "rate_limit", retry_after=7).retry_after == 7


@pytest.mark.parametrize("service", SERVICES)
def test_a_proper_call_and_a_probe_succeed(service: str) -> None:
    prepared(service)()
    vendor = {v.SERVICE: v for v in (apollo, millionverifier, perplexity, openai, instantly)}[service]
    assert vendor.probe().ok


@pytest.mark.parametrize("tag", ["commentary", "draft", "twice", "reworded"])
def test_an_answer_of_several_messages_is_as_good_as_one_of_one(tag: str, sandbox: str) -> None:
    mail, research = (
        openai.write_mail(instructions="Write a mail.", prompt=f"Email: ida+{tag}@acme.example"),
        perplexity.research(instructions="Two sentences.", prompt=f"Email: ida+{tag}@acme.example"),
    )
    assert mail.body.startswith("Hi Ida")
    assert "Draft" not in mail.subject
    assert research.text.count("is known for") == 1
    assert not research.text.startswith(("Draft", "I will look"))
    bill = requests.get(f"{sandbox}/_control/bill", timeout=5).json()
    assert (bill["openai"]["charged"], bill["perplexity"]["charged"]) == (1, 1)


def test_what_we_say_we_used_is_what_the_sandbox_charged(sandbox: str) -> None:
    revealed = apollo.reveal([person.id for person in apollo.search_people({}, page=1, per_page=10).people])
    bill = requests.get(f"{sandbox}/_control/bill", timeout=5).json()
    assert bill["apollo"]["charged"] == revealed.usage.credits


def test_a_lead_pushed_twice_is_a_duplicate_and_is_found() -> None:
    campaign = instantly.create_campaign("Autumn")
    first = instantly.push(campaign_id=campaign, lead=LEAD)
    second = instantly.push(campaign_id=campaign, lead=LEAD)
    assert (first.outcome, second.outcome) == ("pushed", "duplicate")
    assert instantly.find_lead(campaign, EMAIL.upper()) == first.lead_id
    assert instantly.find_lead(campaign, "zed@acme.example") is None
    assert campaign in [known.id for known in instantly.find_campaigns("autumn")]
