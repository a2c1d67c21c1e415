"""Whatever JSON a vendor sends: a typed result or a VendorError, and no text that a store would refuse."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import astuple
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations import apollo, http, instantly, instantly_outcomes, millionverifier, openai, perplexity, reading
from integrations.answers import Answer
from integrations.errors import FailureType, VendorError
from integrations.redaction import redact
from tests.integrations import bodies
from tests.integrations.conftest import KEYS

# What has broken stores and arithmetic before, and what chance alone seldom finds.
NASTY: list[Any] = ["a\x00b", "a\ud800b", "", "9" * 40, "1e5", "NaN", 2**63, -(2**63), 10**400, 1e308, 0.5, -1, True]
NASTY += [[], {}, [None], float("nan"), float("inf"), "٣"]
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
scalars = (
    st.sampled_from(NASTY)
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
)
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@st.composite
def spoiled(draw: st.DrawFn, proper: Any) -> Any:
    """A proper answer with some of its values replaced by anything at all."""
    if draw(st.integers(0, 5)) == 0:
        return draw(anything)
    if isinstance(proper, dict):
        return {key: draw(spoiled(value)) for key, value in proper.items()}
    if isinstance(proper, list):
        return [draw(spoiled(value)) for value in proper]
    return proper


def room() -> list[Any]:
    """A number has no text to look at."""
    instantly_outcomes.plan_room()
    return []


CALLS: dict[str, tuple[Any, Callable[[], Any]]] = {
    "search": (bodies.APOLLO_FOUND, lambda: apollo.search_people({}, page=1, per_page=1)),
    "reveal": (bodies.APOLLO_REVEALED, lambda: apollo.reveal(["6650aa01", "b"])),
    "verify": (bodies.VERDICT, lambda: millionverifier.verify("ida@acme.test")),
    "research": (bodies.RESEARCH, lambda: perplexity.research(instructions="i", prompt="p")),
    "write": (bodies.mail(), lambda: openai.write_mail(instructions="i", prompt="p")),
    "push": (bodies.UPLOADED, lambda: instantly.push(campaign_id="0c1d", lead={"email": "ida@acme.test"})),
    "campaign": (bodies.CAMPAIGN, lambda: instantly.get_campaign("0c1d")),
    "list": ({"items": [bodies.CAMPAIGN], "next_starting_after": "a"}, lambda: instantly.find_campaigns("Autumn")),
    "webhooks": ({"items": [bodies.WEBHOOK]}, instantly_outcomes.list_webhooks),
    "resume": (bodies.WEBHOOK, lambda: instantly_outcomes.resume_webhook("01ab")),
    "test": (
        {"success": False, "status_code": 500, "error": "Internal Server Error"},
        lambda: instantly_outcomes.test_webhook("01ab"),
    ),
    "outcomes": (
        {"items": [bodies.CONTACTED], "next_starting_after": "7aa0"},
        lambda: instantly_outcomes.list_leads("0c1d", instantly_outcomes.FILTER_VAL_BOUNCED),
    ),
    "block": (bodies.BLOCKED, lambda: instantly_outcomes.block(["acme.test"])),
    "sending": (bodies.CAMPAIGN | bodies.SENDING, lambda: instantly_outcomes.sending_status("0c1d")),
    "plan": (bodies.PLAN, room),
}


def texts(value: Any) -> Iterator[str]:
    """Every text inside nested lists and tuples."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)


@pytest.mark.parametrize(("proper", "call"), CALLS.values(), ids=CALLS.keys())
@given(data=st.data())
def test_any_json_at_all_is_a_result_or_a_vendor_error(
    proper: Any, call: Callable[[], Any], data: st.DataObject
) -> None:
    status = data.draw(
        st.sampled_from([200, 200, 200, 201, 204, 301, 400, 401, 402, 403, 404, 409, 422, 429, 500, 599])
    )
    content = data.draw(spoiled(proper).map(lambda value: json.dumps(value).encode()) | st.binary())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "send", lambda *args, **kwargs: Answer(status, {}, content))
        try:
            result = call()
        except VendorError as error:
            result = None
            said = f"{error.message}{error.request_id}{error}"
        else:
            said = ""
    assert not CONTROL.search(said)
    for text in texts([astuple(part) for part in (result if isinstance(result, list) else [result]) if part]):
        assert "\x00" not in text
        text.encode()


@pytest.mark.parametrize("status", [200, 400, 403, 502])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x00upstream gone", "no JSON object: upstream gone"),
        (b"<p>upstream\x1b[2J\x00gone</p>", "an HTML page: upstream [2j gone"),
        (b'{"error": {"message": "upstream\\u0000\\u001b gone"}}', "upstream gone"),
    ],
)
def test_control_characters_in_an_error_body_are_no_part_of_its_explanation(
    status: int, content: bytes, words: str
) -> None:
    assert Answer(status, {}, content).explanation == words


def test_an_error_holds_no_control_character_wherever_its_words_come_from() -> None:
    error = VendorError(
        service="openai",
        failure_type=FailureType.SERVER_ERROR,
        message="a\x00b\ud800c\x85" + "x" * 1000,
        request_id="req\x00\n" + "1" * 1000,
    )
    assert (error.message, error.request_id) == ("a b c " + "x" * 294, "req  " + "1" * 295)
    assert str(error) == f"openai: server_error: {error.message}"


def check_reading(value: Any) -> None:
    assert "\x00" not in reading.text(value)
    reading.text(value).encode()
    reading.identifier(value).encode()
    number = reading.whole(value)
    assert number is None or abs(number) <= reading.LARGEST
    assert reading.tally(value) >= 0
    precise = reading.amount(value)
    assert precise is None or precise.is_finite()


@pytest.mark.parametrize("value", NASTY, ids=lambda value: ascii(value)[:20])
def test_what_has_broken_stores_before_reads_as_absent_or_harmless(value: Any) -> None:
    check_reading(value)


@given(anything)
def test_reading_anything_at_all_never_raises(value: Any) -> None:
    check_reading(value)


@given(st.text(), st.text(), st.sampled_from(list(KEYS.values())))
def test_no_key_survives_redaction(before: str, after: str, key: str) -> None:
    assert key not in redact(f"{before}{key}{after}")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("ida.locke+x@acme.test is unknown", "i***@acme.test is unknown"),
        ("<ida@acme.test>, (zed@acme.test)", "<i***@acme.test>, (z***@acme.test)"),
        ("/api/v3/?api=abc123&email=ida%40acme.test", "/api/v3/?api=[key]&email=i***%40acme.test"),
        ("Incorrect API key provided: sk-proj-abc*****xyz.", "Incorrect API key provided: [key]"),
        ("Authorization: Bearer abc.def-1", "Authorization: Bearer [key]"),
        ("x-api-key: abc", "x-api-key: [key]"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_redaction(text: str, safe: str) -> None:
    assert redact(text) == safe
