"""Perplexity's Agent API answers in one object, with output items in it."""

import time

from integrations.sandbox import messages
from integrations.sandbox.exchange import digest
from integrations.sandbox.language.writing import Subject

# US dollars a token and a search: sonar's order of magnitude.
INPUT_PRICE, OUTPUT_PRICE, SEARCH_PRICE = 0.000_001, 0.000_001, 0.005

ERRORS = {
    "failed": {"message": "The model failed to produce an answer.", "code": "internal_error", "type": "internal_error"},
    "cancelled": {"message": "The response was cancelled.", "code": "cancelled", "type": "cancelled"},
}


def response(
    identifier: str, model: str, status: str, output: list[dict[str, object]], spent: tuple[int, int]
) -> dict[str, object]:
    """Make the object of an answer; `spent` holds input and output tokens. `error` and `incomplete_details` are there
    only where they apply."""
    now = int(time.time())
    searches = sum(item["type"] == "search_results" for item in output)
    costs = (spent[0] * INPUT_PRICE, spent[1] * OUTPUT_PRICE, searches * SEARCH_PRICE)
    value: dict[str, object] = {
        "id": identifier,
        "object": "response",
        "created_at": now,
        "completed_at": now,
        "status": status,
        "model": model,
        "output": output,
        "usage": {
            "input_tokens": spent[0],
            "output_tokens": spent[1],
            "total_tokens": sum(spent),
            "tool_calls_details": {"search_web": {"invocation": searches}} if searches else {},
            "cost": {
                "currency": "USD",
                "input_cost": round(costs[0], 6),
                "output_cost": round(costs[1], 6),
                "tool_calls_cost": costs[2],
                "total_cost": round(sum(costs), 6),
            },
        },
    }
    if status == "incomplete":
        value["incomplete_details"] = {"reason": "max_output_tokens"}
    if status in ERRORS:
        value["error"] = ERRORS[status]
    return value


def output(subject: Subject, text: str, status: str, *, searched: bool) -> list[dict[str, object]]:
    """List what was said, after the search results where there was a search; nothing for an answer that failed."""
    if status in ERRORS:
        return []
    message: dict[str, object] = {
        "type": "message",
        "id": f"msg_{digest('message', subject.key, text):032x}",
        "role": "assistant",
        "status": status,
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
    sent = messages.messages_of(message, subject.tag if status == "completed" else "")
    if not searched:
        return sent
    slug = "".join(letter for letter in subject.company.lower().replace(" ", "-") if letter.isalnum() or letter == "-")
    results = [
        {
            "id": number,
            "url": f"https://{slug or 'company'}.example/{page}",
            "title": f"{subject.company}: {page}",
            "snippet": f"What {subject.company} says about its {page}.",
            "date": "2026-10-01",
            "last_updated": "2026-11-01",
            "source": "web",
        }
        for number, page in enumerate(("about", "news"), start=1)
    ]
    return [{"type": "search_results", "queries": [subject.company], "results": results}, *sent]
