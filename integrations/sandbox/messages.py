"""An answer may have several messages, as the newer models give them. A lead's plus-tag asks for one, whatever fault is
set.

Sources: `phase` of OpenAI's published document; the same item twice, and nearly the same under another id, are from
public issues of its SDKs.
"""

from typing import cast

from integrations.sandbox.exchange import digest

COMMENT = "I will look at the record first."
TAGS = frozenset({"commentary", "draft", "twice", "reworded"})


def messages_of(message: dict[str, object], tag: str) -> list[dict[str, object]]:
    """List the messages in which an answer arrives: one, unless the tag says otherwise."""
    if tag == "commentary":
        return [_saying(message, COMMENT, "commentary"), message | {"phase": "final_answer"}]
    if tag == "draft":
        return [_reworded(message, "Draft") | {"phase": "commentary"}, message | {"phase": "final_answer"}]
    if tag == "twice":
        return [message, message]
    return [message, _reworded(message, "Once more")] if tag == "reworded" else [message]


def _saying(message: dict[str, object], text: str, phase: str) -> dict[str, object]:
    content = [_first(message) | {"text": text}]
    return message | {"id": f"msg_{digest('comment', message['id']):032x}", "content": content, "phase": phase}


def _reworded(message: dict[str, object], word: str) -> dict[str, object]:
    """Say the same in other words and under another id; the JSON of a structured answer stays JSON."""
    text = str(_first(message)["text"])
    other = text.replace(': "', f': "{word}: ') if text.startswith("{") else f"{word}: {text}"
    return message | {
        "id": f"msg_{digest('reworded', message['id']):032x}",
        "content": [_first(message) | {"text": other}],
    }


def _first(message: dict[str, object]) -> dict[str, object]:
    content = cast(list[dict[str, object]], message["content"])
    return content[0]
