"""The header of a file is found here, and what its cells say about columns whose names say nothing. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence

from campaigns.leads.addresses import addresses_in, holds_locked
from campaigns.leads.columns import Columns, key, match, settled

LOOKED_AT = 20  # records; exports put no more than a few lines above their header
SAMPLE = 200  # rows whose cells are looked at
# Addresses of somebody else: the colleague to whom the contact belongs.
NOT_THEIRS = re.compile(r"owner|manager|assistant|sender|rep$|createdby|modifiedby|assignedto|besitzer|referr")
NOTHING = frozenset({"", "-", "n/a", "na", "none", "null", "unknown"})
SALUTATION = re.compile(
    r"(?:(?:mr|mrs|ms|miss|mx|sir|madam|dr|prof|herrn?|frau|fr|hr|dipl|ing|med|phil|mag|m|mme|mlle|monsieur"
    r"|madame|sr|sra|srta|sig|dott|dhr|mevr|rev|hon|and|und|&)(?:[.\s/-]+|$))+",
    re.IGNORECASE,
)


def is_address(cell: str) -> bool:
    """Say whether a cell holds an address, which a header could not."""
    return "@" in cell and bool(addresses_in(cell) or holds_locked(cell))


def find_header(records: Sequence[Sequence[str]]) -> int | None:
    """Find which of the first records is the header; None where nothing before the first address can be one.

    Above it stand notes and titles. It is the one whose names say most, the address before all; where none says
    anything, the first of the widest. Below an address ("Exported by ann@acme.example") only names will do.
    """
    best, place, below_an_address = (False, 0, 0), None, False
    for number, cells in enumerate(records[:LOOKED_AT]):
        if any(is_address(cell) for cell in cells):
            below_an_address = True
            continue
        columns = match(list(cells))
        names = len(columns.recognised)
        score = ("email" in columns.positions, names, sum(1 for cell in cells if cell.strip()))
        if score > best and not (below_an_address and not (score[0] and names > max(best[1], 1))):
            best, place = score, number
    return place


def settle(header: list[str], mapping: Mapping[str, str] | None, sample: Sequence[Sequence[str]]) -> Columns:
    """Say what the columns mean, by their names and, where these say nothing of the address or mislead, by their cells.

    ValueError for a mapping that does not fit.
    """
    mapping = mapping or {}
    columns = match(header, mapping)
    chosen = [
        (rank, position, name) for name, places in columns.positions.items() for rank, position in enumerate(places)
    ]
    chosen = [
        choice
        for choice in chosen
        if choice[2] != "title" or header[choice[1]] in mapping or not mostly(SALUTATION.fullmatch, sample, choice[1])
    ]
    guessed = []
    named = columns.positions.get("email", [])
    if not any(is_address(row[place]) for row in sample for place in named if place < len(row)):
        # Behind the columns that are named so: they may hold some further down.
        place = address_column(header, mapping, sample)
        if place is not None and place not in named:
            chosen = [choice for choice in chosen if choice[1] != place] + [(len(named), place, "email")]
            guessed = [place]
    return settled(header, chosen, guessed)


def address_column(header: list[str], mapping: Mapping[str, str], sample: Sequence[Sequence[str]]) -> int | None:
    """Find the column with most addresses of which most filled cells are addresses; None if there is none."""
    counts = {
        place: sum(1 for cells in sample if place < len(cells) and is_address(cells[place]))
        for place, name in enumerate(header)
        if name not in mapping and not NOT_THEIRS.search(key(name)) and mostly(is_address, sample, place)
    }
    return max(counts, key=lambda place: counts[place], default=None)


def mostly(is_such: Callable[[str], object], sample: Sequence[Sequence[str]], place: int) -> bool:
    """Say whether more than half of a column's filled cells are such; False for an empty one."""
    cells = (row[place].strip() for row in sample if place < len(row))
    filled = [cell for cell in cells if cell.casefold() not in NOTHING]
    return 2 * sum(1 for cell in filled if is_such(cell)) > len(filled)
