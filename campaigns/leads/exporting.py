"""A campaign's leads, and the suppression list, are written as CSV under the headers that the import reads."""

import csv
import io
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any

from django.db.models import QuerySet

from campaigns import outcomes
from campaigns.models import Campaign, Lead, Suppression

BATCH = 2000
# Spreadsheets take a cell that begins with one of these for a formula (OWASP, "CSV Injection"; the last four are
# the full-width forms). Leading apostrophes count too, so that taking one off again is exact.
STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

# header: field of Lead, `data.` and a key of Lead.data, or `outcome`
COLUMNS = {
    "First Name": "first_name",
    "Last Name": "last_name",
    "Title": "title",
    "Company": "company",
    "Email": "email",
    "Secondary Email": "data.other_emails",
    "Email Status": "data.email_status",
    "Headline": "data.headline",
    "Seniority": "data.seniority",
    "Departments": "data.departments",
    "# Employees": "data.employees",
    "Industry": "data.industry",
    "Keywords": "data.keywords",
    "Person Linkedin Url": "data.linkedin_url",
    "Website": "company_domain",
    "City": "data.city",
    "State": "data.state",
    "Country": "data.country",
    "Annual Revenue": "data.annual_revenue",
    "Technologies": "data.technologies",
    "Apollo Contact Id": "apollo_id",
    "Lead Id": "id",
    "Lead State": "state",
    "Lead Outcome": "outcome",
    "Lead Stage": "stage",
    "Lead Reason": "end_reason",
    "Lead Ended": "ended_at",
    "Verdict": "verdict",
    "Research": "research",
    "Mail Subject": "mail_subject",
    "Mail Body": "mail_body",
}
SUPPRESSION_COLUMNS = ("value", "cause", "reason", "source", "created_by", "created_at", "blocked_at")
READ = [name for name in COLUMNS.values() if not name.startswith("data.") and name != "outcome"]
KEYS = [name.removeprefix("data.") for name in COLUMNS.values() if name.startswith("data.")]
# `export_csv` asks for these of each lead.
ASKED = (*outcomes.COLUMNS, "data", *READ)
ID = ASKED.index("id")
# Brings what is asked for, the outcome and the values of KEYS into the order of COLUMNS.
in_order = itemgetter(*map([*ASKED, "outcome", *(f"data.{key}" for key in KEYS)].index, COLUMNS.values()))
# Nearly all cells begin with none of these, and need no closer look.
PERHAPS_A_FORMULA = frozenset({*STARTS, "'"})


def defuse(text: str) -> str:
    """Return the text as a spreadsheet shows it and does not run it: an apostrophe stands before what would begin a
    formula."""
    return f"'{text}" if begins_formula(text) else text


def undefuse(text: str) -> str:
    """Undo `defuse`; other text comes back as it is."""
    return text[1:] if text.startswith("'") and begins_formula(text) else text


def begins_formula(text: str) -> bool:
    return text.lstrip("'").startswith(STARTS)


def export_csv(campaign: Campaign, state: str = "") -> Iterator[bytes]:
    """Yield UTF-8 with a byte order mark (Excel needs it), a piece per 2,000 leads, in the order in which they came;
    with `state` only the leads in that state.

    Memory is constant and no transaction stays open while the reader is slow; a lead that changes meanwhile is there
    once, with its old or its new state.
    """
    yield b"\xef\xbb\xbf" + csv_block([list(COLUMNS)])
    leads = Lead.objects.filter(campaign=campaign).order_by("pk").values_list(*ASKED)
    if state:
        leads = leads.filter(state=state)
    last = 0
    while batch := list(leads.filter(pk__gt=last)[:BATCH]):
        yield csv_block(cells(values_of(lead)) for lead in batch)
        last = batch[-1][ID]


def suppressions_csv(rows: QuerySet[Suppression]) -> Iterator[bytes]:
    """Yield the suppression list as CSV, as `export_csv` does the leads: in the order in which the values came."""
    yield b"\xef\xbb\xbf" + csv_block([list(SUPPRESSION_COLUMNS)])
    last = 0
    ordered = rows.order_by("pk").values_list("pk", *SUPPRESSION_COLUMNS)
    while batch := list(ordered.filter(pk__gt=last)[:BATCH]):
        yield csv_block(cells(row[1:]) for row in batch)
        last = batch[-1][0]


def values_of(lead: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a lead's values in the order of COLUMNS; it comes as ASKED."""
    *instants, data = lead[: len(outcomes.COLUMNS) + 1]
    outcome = outcomes.outcome_of(dict(zip(outcomes.COLUMNS, instants, strict=True)))
    further = map(data.get, KEYS) if isinstance(data, dict) else [None] * len(KEYS)
    return in_order((*lead, outcome, *further))


def cells(values: Iterable[object]) -> list[str | None]:
    """Write a row's values as cells that a spreadsheet does not run; None is an empty one."""
    return [
        value
        if value is None or (isinstance(value, str) and value[:1] not in PERHAPS_A_FORMULA)
        else defuse(text_of(value))
        for value in values
    ]


def text_of(value: object) -> str:
    """Write a value as text."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def csv_block(rows: Iterable[Iterable[str | None]]) -> bytes:
    """Write rows as CSV in UTF-8, for a stream of blocks."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
