"""An answer may hold several messages: a comment before the answer, or the same message twice. One is chosen."""

import json
from typing import Any

import pytest

from integrations import openai, perplexity
from integrations.errors import FailureType, VendorError
from tests.integrations import bodies
from tests.integrations.conftest import Serve
from tests.integrations.wire import http

MAIL = json.dumps({"subject": "Hello Ida", "body": "About arms."})
REWORDED = json.dumps({"subject": "Hi Ida", "body": "About arms."})
DRAFT = json.dumps({"subject": "Draft", "body": "Not yet."})
FOUND: dict[str, Any] = {"type": "search_results", "results": [{"id": 1, "url": "https://acme.example/p"}]}
THOUGHT: dict[str, Any] = {"type": "reasoning", "id": "rs_1", "summary": []}


def message(*texts: str, **changes: Any) -> dict[str, Any]:
    parts = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": parts} | changes


def refusal(words: str | None = "I can't help with that.", **changes: Any) -> dict[str, Any]:
    return message(content=[{"type": "refusal", "refusal": words}], **changes)


FINAL = message(MAIL, phase="final_answer", id="msg_9")


@pytest.mark.parametrize(
    "output",
    [
        [THOUGHT, message(MAIL)],
        [message(MAIL), message(MAIL)],
        [message(MAIL), message(MAIL), message(MAIL, id="msg_2")],
        [message(MAIL), message(REWORDED, id="msg_2")],
        [message("I will look at the record.", phase="commentary"), FINAL],
        [message(DRAFT, phase="commentary"), FINAL],
        [FINAL, message("Done.", phase="commentary")],
        [message(DRAFT), FINAL],
        [message("I will look at the record."), message(MAIL)],
        [message(MAIL[:20], status="incomplete"), message(MAIL)],
        [message(DRAFT, status="incomplete"), message(MAIL)],
        [message("", phase="final_answer"), FINAL],
        [message("", phase="final_answer"), message(MAIL)],
        [message(MAIL, phase=None), message(MAIL, phase="a phase nobody has heard of")],
        [message(MAIL, MAIL)],
        [message(MAIL[:9], MAIL[9:])],
        [message(MAIL[:9]), message(MAIL[9:])],
        [message(MAIL, phase="commentary")],
        [message(DRAFT, role="user"), message(MAIL)],
        [message(content=MAIL)],
    ],
)
def test_the_mail_is_the_final_message_else_the_first_whole_one(serve: Serve, output: list[dict[str, Any]]) -> None:
    serve("openai", http(200, bodies.mail(output=output)))
    mail = openai.write_mail(instructions="i", prompt="p")
    assert (mail.subject, mail.body) == ("Hello Ida", "About arms.")


def test_comments_without_a_mail_are_malformed_and_billed(serve: Serve) -> None:
    serve("openai", http(200, bodies.mail(output=[message("I will look.", phase="commentary")])))
    with pytest.raises(VendorError) as caught:
        openai.write_mail(instructions="i", prompt="p")
    assert caught.value.failure_type == FailureType.MALFORMED
    assert caught.value.usage is not None


@pytest.mark.parametrize(
    "output",
    [
        [message("I will look.", phase="commentary"), refusal(phase="final_answer")],
        [refusal(), refusal()],
        [message(content=[*message("I")["content"], *refusal()["content"]])],
        [refusal(None)],
    ],
)
def test_a_refusal_among_the_messages_is_a_refusal(serve: Serve, output: list[dict[str, Any]]) -> None:
    serve("openai", http(200, bodies.mail(output=output)))
    with pytest.raises(VendorError) as caught:
        openai.write_mail(instructions="i", prompt="p")
    assert caught.value.failure_type == FailureType.INVALID_REQUEST


ARMS = "It sells arms [1]."


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ([FOUND, message(ARMS), message(ARMS)], ARMS),
        ([FOUND, message(ARMS), message(" It sells  arms [1].\n", id="msg_2")], ARMS),
        ([FOUND, message(ARMS), message("It sells robot arms [1].", id="msg_2")], ARMS),
        ([message("Let me search.", phase="commentary"), FOUND, message(ARMS, phase="final_answer")], ARMS),
        ([message(ARMS, phase="final_answer"), message("Let me search.", phase="commentary")], ARMS),
        ([message("Let me search."), FOUND, message(ARMS)], ARMS),
        ([message(ARMS), FOUND], ARMS),
        ([message("It sells", status="incomplete"), message(ARMS)], ARMS),
        ([message("Let me search.", phase="commentary"), message(ARMS)], ARMS),
        # Two parts of one answer, as far as anybody can tell: nothing that was paid for is thrown away.
        ([FOUND, message(ARMS), message("Its owner is Tom Hale.")], f"{ARMS}\n\nIts owner is Tom Hale."),
    ],
)
def test_the_research_is_the_final_message_and_says_nothing_twice(
    serve: Serve, output: list[dict[str, Any]], text: str
) -> None:
    serve("perplexity", http(200, bodies.RESEARCH | {"output": output}))
    assert perplexity.research(instructions="i", prompt="p").text == text


def test_the_sources_are_those_of_all_searches(serve: Serve) -> None:
    again = {"type": "search_results", "results": [{"id": 2, "url": "https://acme.example/q"}]}
    serve("perplexity", http(200, bodies.RESEARCH | {"output": [message("Let me see."), FOUND, again, message(ARMS)]}))
    found = perplexity.research(instructions="i", prompt="p")
    assert found.sources == ["https://acme.example/p", "https://acme.example/q"]
