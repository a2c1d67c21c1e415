"""Person N is made from N, with the blemishes that real data has. Same seed, same person, in every process."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from integrations.sandbox.exchange import digest
from integrations.sandbox.world.companies import COMPANIES, SEED, Company, company, pick
from integrations.sandbox.world.names import CULTURES, EMOJI, PLACES, ROLES, WEIGHTS, Name, Place

PEOPLE = 40_000

# Of a thousand people: how many have no address, are the person before them under a second id, are found by the search
# but by no enrichment, work under a title of 300 characters, wear an emoji, have no title.
NO_EMAIL, TWIN, UNMATCHED, LONG_TITLE, EMOJI_NAME, NO_TITLE = 60, 20, 20, 3, 10, 20
LONG_TITLE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Person:
    """A person's `email` is None for some. `matched` is False for those whom enrichment answers with null."""

    number: int
    id: str
    first_name: str
    last_name: str
    email: str | None
    title: str | None
    seniority: str
    department: str
    place: Place
    company: Company
    matched: bool
    verified: bool

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def email_status(self) -> str:
        """Return the status in the words of Apollo's `contact_email_status` filter."""
        if self.email is None:
            return "unavailable"
        return "verified" if self.verified else "unverified"


def person_id(number: int) -> str:
    """Return 24 hexadecimal digits as Apollo's ids have; the last eight are the number, so that an id leads back to
    it."""
    return f"{digest(SEED, 'person-id', number) & 0xFFFF_FFFF_FFFF_FFFF:016x}{number:08x}"


def by_id(identifier: str) -> Person | None:
    """Return the person with this id, or None: an id that was not issued here finds nobody."""
    if not re.fullmatch(r"[0-9a-f]{24}", identifier):
        return None
    number = int(identifier[16:], 16)
    return person(number) if number < PEOPLE and person_id(number) == identifier else None


@lru_cache(maxsize=PEOPLE)
def person(number: int) -> Person:
    """Make person `number`, 0 <= number < PEOPLE."""
    chance = digest(SEED, "person", number)
    if number and chance % 1000 < TWIN:
        # A twin's twin would be a chain; the original is drawn without regard to this rule.
        return replace(_original(number - 1), number=number, id=person_id(number))
    return _original(number)


def _original(number: int) -> Person:
    draw = _Draws(number)
    first, last = _name(draw)
    employer = company(draw() % COMPANIES)
    title, seniority, department = pick(ROLES, draw())
    blemish = draw() % 1000
    shown: str | None = title
    if blemish < LONG_TITLE:
        shown = _long_title(title, employer)
    elif blemish < LONG_TITLE + NO_TITLE:
        shown = None
    first_name = first.written
    if draw() % 1000 < EMOJI_NAME:
        first_name = f"{first_name} {pick(EMOJI, draw())}"
    return Person(
        number=number,
        id=person_id(number),
        first_name=first_name,
        last_name=last.written,
        email=None if draw() % 1000 < NO_EMAIL else f"{first.latin}.{last.latin}@{employer.domain}",
        title=shown,
        seniority=seniority,
        department=department,
        # Two of three live where their company is.
        place=employer.place if draw() % 3 else pick(PLACES, draw()),
        company=employer,
        matched=draw() % 1000 >= UNMATCHED,
        verified=draw() % 10 > 0,
    )


def invent_everybody() -> None:
    """Invent everybody: half a second's work, done once a process, so that no search has to do it within a client's
    deadline."""
    for number in range(PEOPLE):
        person(number)


class _Draws:
    """The draws are numbers that depend on the person's number only, one after the other."""

    __slots__ = ("_number", "_pool", "_times")

    def __init__(self, number: int) -> None:
        self._number, self._times, self._pool = number, 0, digest(SEED, "original", number, 0)

    def __call__(self) -> int:
        if self._pool < 1 << 24:
            self._times += 1
            self._pool = digest(SEED, "original", self._number, self._times)
        value = self._pool & 0xFF_FFFF
        self._pool >>= 24
        return value


def _name(draw: _Draws) -> tuple[Name, Name]:
    left = draw() % 100
    for culture, weight in WEIGHTS:
        if left < weight:
            first_names, last_names = CULTURES[culture]
            return pick(first_names, draw()), pick(last_names, draw())
        left -= weight
    raise AssertionError("the WEIGHTS do not add up to 100")


def _long_title(title: str, employer: Company) -> str:
    text = f"{title} at {employer.name}, responsible for " + "people, processes, products, partners and profits; " * 8
    return text[:LONG_TITLE_LENGTH].ljust(LONG_TITLE_LENGTH, ".")
