"""One row of an imported file: as a lead would have it, or why it cannot become one. Pure."""

import re
from collections import Counter
from dataclasses import dataclass, field

from campaigns.addresses import normalise, normalise_domain
from campaigns.columns import DATA_FIELDS, Columns
from campaigns.exporting import undefuse

NO_ADDRESS = "no address"
MALFORMED = "malformed address"
TWICE = "duplicate in file"
KNOWN = "already in campaign"
SUPPRESSED = "suppressed"
TOO_WIDE = "more cells than columns"

MAX_DATA = 1000  # characters of a further field; Apollo's keywords run to many thousands
LENGTHS = {"first_name": 200, "last_name": 200, "title": 500, "company": 300}  # as in the model; a test compares
APOLLO_ID = re.compile(r"[0-9A-Za-z_-]{8,64}")
# What no name or title needs: control characters, and the marks that turn the direction of the text around them.
UNWANTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")


@dataclass(slots=True)
class Row:
    """One row of the file. `reason` says why it is skipped; '' as long as nothing speaks against it."""

    number: int
    cells: list[str]
    reason: str = ""
    email: str = ""
    apollo_id: str = ""
    first_name: str = ""
    last_name: str = ""
    title: str = ""
    company: str = ""
    company_domain: str = ""
    data: dict[str, str] = field(default_factory=dict)


def parse(number: int, cells: list[str], columns: Columns, width: int, shortened: Counter[str]) -> Row:
    """A row of the file as a lead would have it, or with the reason why it cannot become one. Touches nothing else."""
    row = Row(number, cells)
    if len(cells) > width and any(cells[width:]):
        # A delimiter outside of quotes: everything behind it sits in the wrong column, perhaps the address too.
        row.reason = TOO_WIDE
        return row
    values = {name: first_filled(cells, positions) for name, positions in columns.positions.items()}
    address = values["email"]
    if not address:
        row.reason = NO_ADDRESS
        return row
    if (email := normalise(address)) is None:
        row.reason = MALFORMED
        return row
    row.email = email
    if (apollo_id := values.get("apollo_id", "")) and APOLLO_ID.fullmatch(apollo_id):
        row.apollo_id = apollo_id
    first, last = values.get("first_name", ""), values.get("last_name", "")
    if not first and not last:
        first, _, last = values.get("name", "").partition(" ")
    named = {
        "first_name": first,
        "last_name": last,
        "title": values.get("title", ""),
        "company": values.get("company", ""),
    }
    for name, value in named.items():
        if len(value) > LENGTHS[name]:
            shortened[name] += 1
            value = value[: LENGTHS[name]].rstrip()  # noqa: PLW2901
        setattr(row, name, value)
    row.company_domain = normalise_domain(values.get("website", "")) or ""
    for name in DATA_FIELDS:
        if value := values.get(name, ""):
            if len(value) > MAX_DATA:
                shortened[name] += 1
                value = value[:MAX_DATA].rstrip()
            row.data[name] = value
    return row


def first_filled(cells: list[str], positions: list[int]) -> str:
    for position in positions:
        if position < len(cells) and (value := clean(cells[position])):
            return value
    return ""


def clean(cell: str) -> str:
    """One line without control characters; what an export of ours put before a formula is taken off again."""
    text = undefuse(cell)
    if not text.isprintable():
        text = UNWANTED.sub(" ", text)
    return " ".join(text.split())
