"""A claim of a mail is a number, a date or a name: one that stands in neither record, research nor template has no
source. Pure."""

import re
from collections.abc import Iterator

from campaigns import prompts
from campaigns.models import Lead

# 40, 1,200, 3.5, 20%; the digits of a date are one of them each.
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
DATE = re.compile(rf"\b(?:{MONTHS}|Q[1-4]|H[12])\b")
# A word that begins with a capital and is not the first of its sentence or line: "Tuesday" as well as "Globex".
NAME = re.compile(r"(?<=[^\W\d_,;:)”\"'] )[^\W\d_a-z][\w&'\u2019-]*\w(?: [^\W\d_a-z][\w&'\u2019-]*\w)*")
# English writes these with a capital wherever they stand, and a mail closes with these.
NO_NAME = frozenset(
    ["I", "I'm", "I'd", "I've", "I'll", "Kind", "Best", "Regards", "CEO", "CTO", "CFO", "COO", "B2B", "IT"]
)


def without_source(lead: Lead, template: str) -> list[str]:
    """Return the claims of a lead's mail that have no source, as `unsourced` does."""
    return unsourced(lead.mail_subject, lead.mail_body, lead, template)


def unsourced(subject: str, body: str, lead: Lead, template: str) -> list[str]:
    """Return the claims of a mail to a lead that stand in neither its record, its research nor the template, in their
    order, each once."""
    known = " ".join([*prompts.record(lead).values(), lead.research, template]).casefold()
    numbers = {plain(number) for number in NUMBER.findall(known)}
    found: list[str] = []
    for claim in claims(f"{subject}.\n{body}"):
        if NUMBER.fullmatch(claim):
            sourced = plain(claim) in numbers
        else:
            sourced = all(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", known) for word in claim.casefold().split())
        if not sourced and claim not in found:
            found.append(claim)
    return found


def claims(text: str) -> Iterator[str]:
    """Yield the numbers, dates and names of a text in their order."""
    places = [match for pattern in (NUMBER, DATE, NAME) for match in pattern.finditer(text)]
    for match in sorted(places, key=lambda match: match.start()):
        if match[0] not in NO_NAME and not match[0][0].islower():
            yield match[0]


def plain(number: str) -> str:
    """Return a number as it is compared: 1,200 is 1200, and 3.50 is 3.50."""
    return number.replace(",", "")
