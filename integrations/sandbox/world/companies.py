"""Company N is made from N. Same seed, same company, in every process."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from integrations.sandbox.exchange import digest
from integrations.sandbox.world.names import FIRST_WORDS, KINDS, PLACES, TRADES, Place

T = TypeVar("T")

SEED = "holdfast"
COMPANIES = len(FIRST_WORDS) * len(TRADES) * len(KINDS)

# Lower ends of the size classes that Apollo's own app offers, with how many of a hundred companies fall into each.
SIZES = ((1, 10, 25), (11, 50, 30), (51, 200, 22), (201, 1000, 15), (1001, 10_000, 8))


@dataclass(frozen=True, slots=True)
class Company:
    """A company's `domain` lies under `.example`, which RFC 2606 reserves: nothing here can be written to."""

    number: int
    id: str
    name: str
    domain: str
    industry: str
    employees: int
    founded: int
    place: Place

    @property
    def keywords(self) -> list[str]:
        return [self.industry, *self.name.lower().split()]


def pick(options: Sequence[T], number: int) -> T:
    return options[number % len(options)]


@lru_cache(maxsize=COMPANIES)
def company(number: int) -> Company:
    """Make company `number`, 0 <= number < COMPANIES."""
    chance = digest(SEED, "company", number)
    first = FIRST_WORDS[number % len(FIRST_WORDS)]
    trade, industry = TRADES[number // len(FIRST_WORDS) % len(TRADES)]
    kind = KINDS[number // (len(FIRST_WORDS) * len(TRADES))]
    words = [word for word in (first, trade, kind) if word]
    return Company(
        number=number,
        id=f"{digest(SEED, 'company-id', number) & 0xFFFF_FFFF_FFFF_FFFF:016x}{number:08x}",
        name=" ".join(words),
        domain="-".join(words).lower() + ".example",
        industry=industry,
        employees=_size(chance),
        founded=1950 + chance // 1_000_000 % 75,
        place=pick(PLACES, chance // 10_000_000_000),
    )


def _size(chance: int) -> int:
    draw = chance % 100
    for low, high, share in SIZES:
        if draw < share:
            return low + chance // 100 % (high - low + 1)
        draw -= share
    raise AssertionError("the shares of SIZES do not add up to 100")
