"""A campaign's funnel says how many of its people got how far, and what each push and each reply has cost."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from campaigns import spend
from campaigns.models import Lead
from campaigns.pipeline import FOLLOWS, REVIEW
from campaigns.tallies import LeadTally, summed

# What became of a push has no tallies: each is counted by its own small index, 50,000 leads in some milliseconds.
CAME_BACK = {"sent": "sent_at", "bounced": "bounced_at", "replied": "replied_at", "unsubscribed": "unsubscribed_at"}
COUNT = "SELECT {}".format(
    ", ".join(
        f"(SELECT count(*) FROM leads WHERE campaign_id = %(campaign)s AND {column} IS NOT NULL)"  # noqa: S608
        for column in CAME_BACK.values()
    )
)


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """A funnel holds numbers of people, each at most the one before it up to `sent`, and what all of it cost (USD).

    `verified`: their address was found deliverable; `written`: they have a mail. Who unsubscribed may
    have replied, too.
    """

    found: int
    verified: int
    written: int
    pushed: int
    sent: int
    bounced: int
    replied: int
    unsubscribed: int
    cost_usd: Decimal

    @property
    def cost_per_pushed_usd(self) -> Decimal | None:
        """Return what one push has cost on the whole; None while there is none."""
        return self._each(self.pushed)

    @property
    def cost_per_reply_usd(self) -> Decimal | None:
        """Return what one person's reply has cost on the whole; None while there is none."""
        return self._each(self.replied)

    def numbers(self) -> dict[str, int]:
        """Return how many got how far, in the funnel's order."""
        return {name: value for name, value in vars(self).items() if name != "cost_usd"}

    def costs(self) -> dict[str, Decimal]:
        """Return what each push and each reply has cost (USD); none of which there is not one."""
        each = {"push": self.cost_per_pushed_usd, "reply": self.cost_per_reply_usd}
        return {name: cost for name, cost in each.items() if cost is not None}

    def as_dict(self) -> dict[str, Any]:
        return {
            **vars(self),
            "cost_per_pushed_usd": self.cost_per_pushed_usd,
            "cost_per_reply_usd": self.cost_per_reply_usd,
        }

    def _each(self, number: int) -> Decimal | None:
        return (self.cost_usd / number).quantize(Decimal("0.000001")) if number else None


def of_campaign(pk: int) -> Funnel:
    """Read a campaign's funnel as of now, from tallies and by the indexes of what came back. Zeros if there is none."""
    found = verified = written = pushed = 0
    for (state, stage), number in summed(LeadTally.objects.filter(campaign_id=pk), "state", "stage").items():
        is_pushed = state == Lead.State.PUSHED
        found += number
        # A lead's stage is the kind of its last job, and stays when it ends.
        verified += number if is_pushed or stage in (*FOLLOWS.values(), REVIEW) else 0
        written += number if is_pushed or stage in (FOLLOWS["write"], REVIEW) else 0
        pushed += number if is_pushed else 0
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"campaign": pk})
        came_back = dict(zip(CAME_BACK, cursor.fetchone(), strict=True))
    cost = sum((sums.cost_usd for sums in spend.by_service(campaign=pk).values()), Decimal(0))
    return Funnel(found=found, verified=verified, written=written, pushed=pushed, **came_back, cost_usd=cost)
