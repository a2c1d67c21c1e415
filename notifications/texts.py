"""A message says what the console's first sentence says, and where to go. No lead and no key is in it."""

import logging
import re
from collections.abc import Callable

from django.conf import settings

from integrations.redaction import redact
from notifications.kinds import KINDS
from notifications.models import Message

# Anything that looks like somebody's address: vendors' words and people's reasons may name a lead.
ADDRESS = re.compile(r"[^\s@<>\"'(),;:]{1,64}(?:@|%40)[\w.-]+", re.IGNORECASE)

logger = logging.getLogger(__name__)

_sentence: list[Callable[[], str]] = []


def register_sentence(read: Callable[[], str]) -> None:
    """Have the console's first sentence, with what is to be done next, read by `read`. The console stands above."""
    _sentence[:] = [read]


def safe(text: str) -> str:
    """Return the text without addresses and keys."""
    return redact(ADDRESS.sub("[address]", text))


def sentence() -> str:
    """Return the console's first sentence as of now; '' where there is no console, or it cannot say: what happened is
    told without it."""
    try:
        return safe(_sentence[0]()) if _sentence else ""
    except Exception:
        logger.exception("The console's sentence cannot be read")
        return ""


def title_of(message: Message) -> str:
    """Return the subject line: nobody takes the sandbox for the vendors."""
    return f"Holdfast {settings.MODE.upper()}: {message.subject}"


def body_of(message: Message, now: str) -> str:
    """Compose the text: what happened, the console's sentence `now`, and the link."""
    kind = KINDS[message.kind]
    parts = [message.facts, now if kind.sentence else "", link_of(message)]
    return "\n\n".join(part for part in parts if part)


def link_of(message: Message) -> str:
    return f"{settings.WEB_URL}{message.path}" if message.path else ""
