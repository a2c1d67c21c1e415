"""An estimate says before a start what a campaign can cost at most, and about, going by the last 30 days."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from campaigns import spend
from campaigns.models import Campaign, Lead
from campaigns.pipeline import FIRST_OF_LEAD, FOLLOWS, SERVICE_OF
from campaigns.spend import Spend
from campaigns.tallies import LeadTally, summed

DAYS = 30
# Fewer verified addresses than this say nothing of the next campaign.
ENOUGH = 20
OF_LEAD = (FIRST_OF_LEAD, *FOLLOWS.values())
CENT = Decimal("0.01")

# kind -> the most that one call of it can cost (USD) for one person; told by whoever knows the prices.
_prices: list[Callable[[str], Decimal]] = []


def register_prices(most_of_kind: Callable[[str], Decimal]) -> None:
    """Make this say what a call of a kind can cost at most (USD), for one person."""
    _prices[:] = [most_of_kind]


def most_of(kind: str) -> Decimal:
    """Return what a call of a kind can cost at most (USD), for one person."""
    return _prices[0](kind)


@dataclass(frozen=True)
class Estimate:
    """An estimate is for so many leads, in USD; `expected_usd` is None while too little was done lately to say."""

    leads: int
    at_most_usd: Decimal
    expected_usd: Decimal | None

    @property
    def sentence(self) -> str:
        """Say it for people."""
        most = f"At most ${self.at_most_usd:,.2f} for {self.leads:,} leads"
        if self.expected_usd is None:
            return f"{most}; too little was done in the last {DAYS} days to say more."
        return f"{most}, about ${self.expected_usd:,.2f} at the yields of the last {DAYS} days."

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "days": DAYS, "sentence": self.sentence}


def estimate(*, people: int, leads: int, most_of_kind: Callable[[str], Decimal], spent: dict[str, Spend]) -> Estimate:
    """Estimate what `people` to be revealed and `leads` that are there come to. `spent`: by service, lately. Pure.

    At most: each passes every step by one call. About: what each verified address has cost until its push, failures and
    what dropped out on the way included. A second call after a failure is beyond the most, as it is rare.
    """
    reveal = most_of_kind("reveal") * people
    at_most = reveal + sum((most_of_kind(kind) for kind in OF_LEAD), Decimal(0)) * (people + leads)
    verified = spent[SERVICE_OF[FIRST_OF_LEAD]].calls
    expected = None
    if verified >= ENOUGH:
        services = {SERVICE_OF[kind] for kind in OF_LEAD}
        each = sum((spent[service].cost_usd for service in services), Decimal(0)) / verified
        expected = min(
            (reveal + each * (people + leads)).quantize(CENT, "ROUND_UP"), at_most.quantize(CENT, "ROUND_UP")
        )
    return Estimate(people + leads, at_most.quantize(CENT, "ROUND_UP"), expected)


def of_campaign(campaign: Campaign, first: int | None = None) -> Estimate:
    """Estimate what is still to be spent on a campaign: on its open leads, and on those that its search may find; or
    on the `first` of them alone."""
    leads, people = _open_and_findable(campaign)
    if first is not None:
        leads, people = min(leads, first), max(0, min(people, first - leads))
    since = timezone.now().astimezone(UTC).date() - timedelta(days=DAYS)
    spent = spend.by_service(since=since)
    return estimate(people=people, leads=leads, most_of_kind=_prices[0], spent=spent)


def to_do(campaign: Campaign, first: int | None = None) -> int:
    """Return how many leads a campaign has to do, with those that its search may find: at most the `first`."""
    number = sum(_open_and_findable(campaign))
    return min(number, first) if first else number


def _open_and_findable(campaign: Campaign) -> tuple[int, int]:
    states = summed(LeadTally.objects.filter(campaign_id=campaign.pk), "state")
    findable = max(0, campaign.max_leads - sum(states.values())) if campaign.search else 0
    return states.get(Lead.State.OPEN, 0), findable
