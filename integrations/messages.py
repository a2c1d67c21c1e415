"""One of the messages in a language service's answer is the answer: it is found here.

There may be several: newer models say what they are about to do (`phase: commentary`) before the `final_answer`, and
the same message has been seen twice, word by word or nearly. A comment is the answer only if there is nothing else.
"""

import re
from typing import Any

from integrations import reading

# By the vendor's own label; a message without one may be the answer, as all were before there were labels.
RANKS = {"final_answer": 0, "commentary": 2}
UNLABELLED = 1

# Of two messages that share so many of their words, one is the other anew: the measure is |A and B| / |A or B|.
THE_SAME = 0.6
WORD = re.compile(r"\w+")
MOST = 30  # messages that are compared with each other


def refused(body: dict[str, Any]) -> bool:
    """Say whether the model refused, in whichever message."""
    return any(part.get("type") == "refusal" for item in _messages(body) for part in _parts(item))


def candidates(body: dict[str, Any]) -> list[str]:
    """List every text that may be the answer, each once, the likeliest first; none of them is blank.

    For an answer of a fixed form, of which the first that has the form is the one: whole messages before broken ones,
    a message before its parts, and at last all of them in one, as if one text had been cut in pieces.
    """
    ordered = sorted(
        _messages(body), key=lambda item: (_rank(item), item.get("status") in ("incomplete", "in_progress"))
    )
    texts: list[str] = []
    for item in ordered:
        pieces = _texts(item)
        texts += ["".join(pieces), *pieces]
    texts.append("".join(_text(item) for item in _messages(body)))
    return [text for text in dict.fromkeys(texts) if text.strip()]


def prose(body: dict[str, Any]) -> str:
    """Return the text of an answer without a form; "" if there is none.

    It is what was said last of the best kind: after the last search, whole, and nothing twice. Messages that differ are
    parts of one text, a paragraph each.
    """
    items = reading.mappings(body.get("output"))
    said = [(place, item) for place, item in enumerate(items) if _is_message(item) and _text(item).strip()]
    if not said:
        return ""
    best = min(_rank(item) for _, item in said)
    said = [(place, item) for place, item in said if _rank(item) == best]
    last_step = max((place for place, item in enumerate(items) if not _is_message(item)), default=-1)
    chosen = [item for place, item in said if place > last_step] or [item for _, item in said]
    whole = [item for item in chosen if item.get("status") not in ("incomplete", "in_progress")] or chosen
    kept: list[str] = []
    for text in (_text(item).strip() for item in whole[:MOST]):
        if not any(_alike(text, other) for other in kept):
            kept.append(text)
    return "\n\n".join(kept)


def _alike(one: str, other: str) -> bool:
    ours, theirs = set(WORD.findall(one.lower())), set(WORD.findall(other.lower()))
    return len(ours & theirs) >= THE_SAME * len(ours | theirs)


def _is_message(item: dict[str, Any]) -> bool:
    return item.get("type") == "message" and item.get("role", "assistant") == "assistant"


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in reading.mappings(body.get("output")) if _is_message(item)]


def _rank(item: dict[str, Any]) -> int:
    return RANKS.get(reading.text(item.get("phase")), UNLABELLED)


def _parts(item: dict[str, Any]) -> list[dict[str, Any]]:
    content = item.get("content")
    return [{"type": "output_text", "text": content}] if isinstance(content, str) else reading.mappings(content)


def _texts(item: dict[str, Any]) -> list[str]:
    return [reading.text(part.get("text")) for part in _parts(item) if part.get("type") == "output_text"]


def _text(item: dict[str, Any]) -> str:
    return "".join(_texts(item))
