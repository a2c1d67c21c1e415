"""One row of an imported file becomes a lead here, or a reason why it cannot become one. Pure."""

import re
from collections import Counter
from dataclasses import dataclass, field

from campaigns.leads.addresses import addresses_in, holds_locked, normalise_domain
from campaigns.leads.columns import DATA_FIELDS, Columns
from campaigns.leads.exporting import undefuse
from campaigns.leads.headers import SALUTATION
from circuitbreakers.characters import IN_A_CELL

NO_ADDRESS = "no address"
MALFORMED = "malformed address"
LOCKED = "address locked at Apollo"
OPTED_OUT = "opted out"
TWICE = "duplicate in file"
KNOWN = "already in campaign"
SUPPRESSED = "suppressed"
TOO_WIDE = "more cells than columns"

MAX_DATA = 1000  # characters of a further field; Apollo's keywords run to many thousands
LENGTHS = {"first_name": 200, "last_name": 200, "title": 500, "company": 300}  # as in the model; a test compares
APOLLO_ID = re.compile(r"[0-9A-Za-z_-]{8,64}")


# In a column that says who takes mail, everything else is a yes.
TAKES_NONE = frozenset({"0", "0.0", "false", "no", "n", "f", "nein", "falsch", "non", "faux", "off", "never", "☐", "✗"})
# In a column that says who wants no mail, everything else is a yes; a date, too.
NO = TAKES_NONE | {
    *("-", "--", "none", "null", "nil", "nan", "n/a", "na", "unknown", "not set"),
    *("subscribed", "active", "granted", "opted in", "opted-in", "opt in", "opt-in"),
}
OUT = re.compile(r"unsub|opt(?:ed)?[\s_-]?out|do not|don't|abgemeldet|revoked|withdrawn|denied|blocked")


@dataclass(slots=True)
class Row:
    """This is one row of the file. `reason` says why it is skipped; '' as long as nothing speaks against it.

    `others`: the further addresses of this person.
    """

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
    others: list[str] = field(default_factory=list)


def parse(number: int, cells: list[str], columns: Columns, width: int, shortened: Counter[str]) -> Row:
    """Read a row of the file as a lead would have it, or with the reason why it cannot become one. Touches nothing
    else."""
    row = Row(number, cells)
    if len(cells) > width and any(cells[width:]):
        # A delimiter outside of quotes: everything behind it sits in the wrong column, perhaps the address too.
        row.reason = TOO_WIDE
        return row
    if opted_out(cells, columns):
        row.reason = OPTED_OUT
        return row
    of_best = find_addresses(row, columns.positions["email"])
    if row.reason:
        return row
    values = filled(cells, columns)
    if not of_best:
        values.pop("email_status", None)  # it says something about another address
    if (apollo_id := values.get("apollo_id", "")) and APOLLO_ID.fullmatch(apollo_id):
        row.apollo_id = apollo_id
    first, last = values.get("first_name", ""), values.get("last_name", "")
    if not last and (name := values.get("name", "")):
        # "Ida" and "Ida Locke", or "Ida" and "Locke": in German "Name" is often the last name alone.
        first, last = (first, name.removeprefix(first).strip()) if first else name.partition(" ")[::2]
    named = {
        "first_name": first,
        "last_name": last,
        "title": values.get("title", "") if not SALUTATION.fullmatch(values.get("title", "")) else "",
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


def find_addresses(row: Row, positions: list[int]) -> bool:
    """Give the row its first usable address and the others, or the reason. Whether the first came from the best column.

    The others are kept in `data`: they are the same person's, and one of them may be suppressed.
    """
    cells, best = row.cells, positions[0]
    if len(positions) == 1:  # nearly always, and then nearly always one address
        addresses = addresses_in(undefuse(cells[best])) if best < len(cells) else []
        of_best = True
    else:
        each = {place: addresses_in(undefuse(cells[place])) for place in positions if place < len(cells)}
        addresses = list(dict.fromkeys(address for in_cell in each.values() for address in in_cell))
        of_best = bool(each.get(best))
    if addresses:
        row.email, *row.others = addresses
        if row.others:
            row.data["other_emails"] = ", ".join(row.others)[:MAX_DATA]
        return of_best
    filled = [cells[place] for place in positions if place < len(cells) and clean(cells[place])]
    if not filled:
        row.reason = NO_ADDRESS
    else:
        row.reason = LOCKED if any(map(holds_locked, filled)) else MALFORMED
    return of_best


def opted_out(cells: list[str], columns: Columns) -> bool:
    """Say whether any column says that this person wants no mail."""
    for name in ("opted_out", "subscribed", "status"):
        for position in columns.positions.get(name, ()):
            value = clean(cells[position]).casefold() if position < len(cells) else ""
            if not value:
                continue
            if OUT.search(value):
                if not value.startswith(("not ", "never ", "no ")):
                    return True
            elif (name == "opted_out" and value not in NO) or (name == "subscribed" and value in TAKES_NONE):
                return True
    return False


def header_names(header: list[str]) -> list[str]:
    """Return the names of the columns as they are shown and mapped; one without a name is called by its place."""
    return [clean(name) or f"Column {number}" for number, name in enumerate(header, 1)]


def filled(cells: list[str], columns: Columns) -> dict[str, str]:
    """Return field -> the first of its cells that is not empty, cleaned; a field without one is not there."""
    values: dict[str, str] = {}
    count = len(cells)
    for name, positions in columns.positions.items():
        for position in positions:
            if position < count and (cell := cells[position]) and (value := clean(cell)):
                values[name] = value
                break
    return values


def clean(cell: str) -> str:
    """Make one line without control characters; what an export of ours put before a formula is taken off again."""
    text = undefuse(cell) if cell[:1] == "'" else cell
    if not text.isprintable():
        text = IN_A_CELL.sub(" ", text)
    elif "  " not in text:
        return text.strip()
    return " ".join(text.split())
