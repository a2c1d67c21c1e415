"""A plan is the dry run of a group: how many of its failures can be retried or dropped, why the others cannot, and what
the retry may cost. Its token stands for exactly the failures that were shown. Nothing here writes."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core import signing
from django.db import connection

from campaigns import estimate, remaining
from campaigns.failures.groups import Group, group
from campaigns.models import Campaign
from campaigns.pipeline import REVEAL_AT_ONCE, SERVICE_OF
from campaigns.refusals import MARK

SALT = "holdfast.failures"
# A plan that somebody has looked at for longer is made anew, whether or not anything has changed.
VALID = timedelta(hours=1)
CENT = Decimal("0.01")

CANCELLED = "their campaign was cancelled"
NOT_STARTED = "their campaign was never started: start it"
PRUNED = "their campaign's jobs were pruned: duplicate it"
REFUSED = "the vendor called them invalid, and would again: mend the cause, then retry them as mended"
LEAD_ENDED = "their lead has ended otherwise meanwhile"
TARGET = "every push of their campaign waits for its target: retry them, or cancel the campaign"


class FailuresRefused(Exception):
    """The group is not retried or dropped; the text says why and what to do. Nothing has changed."""


class NoSuchGroup(FailuresRefused):
    """Nothing fails in this way now, or not any more."""


class StalePlan(FailuresRefused):
    """What was shown is not what is there: the text has the new figures."""


@dataclass(frozen=True)
class Plan:
    """A plan says what a retry and what a drop of a group would do now; `stay` and `keep` say how many they would
    leave, by reason. Costs in USD: at most, and by the latest calls (None: there were none).

    `mended`: the retry takes those as well that the vendor called invalid. `campaigns`: in which the failures are.
    """

    group: Group
    campaign: int | None
    mended: bool
    campaigns: int
    retry: int
    stay: dict[str, int]
    drop: int
    keep: dict[str, int]
    at_most_usd: Decimal
    expected_usd: Decimal | None
    token: str

    @property
    def sentence(self) -> str:
        """Say it for people."""
        about = "" if self.expected_usd is None else f", about ${self.expected_usd:,.2f} by the latest calls"
        cost = f": at most ${self.at_most_usd:,.2f}{about}" if self.retry else ""
        return (
            f"{self.group.count:,} failures in {self.campaigns:,} campaign{'s' * (self.campaigns != 1)}. "
            f"A retry puts back {self.retry:,}{cost}. A drop ends {self.drop:,}."
        )

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "group": self.group.as_dict(), "sentence": self.sentence}


@dataclass(frozen=True)
class Shown:
    """What a token stands for: the failures of one group (in one campaign, or in all) up to the last one that was
    there."""

    key: UUID
    campaign: int | None
    until: datetime
    mended: bool
    figures: dict[str, Any]


# By the tallies, so that a dry run counts no failure.
COUNTS = """
SELECT t.campaign_id, c.status, c.jobs_pruned_at IS NOT NULL, t.kind, t.ended, sum(t.number)::bigint, sum(t.marks)
FROM failure_tallies t JOIN campaigns c ON c.id = t.campaign_id
WHERE t.group_key = %(key)s AND (%(campaign)s IS NULL OR t.campaign_id = %(campaign)s)
GROUP BY t.campaign_id, c.status, 3, t.kind, t.ended HAVING sum(t.number) > 0
"""
ENDED = (Campaign.Status.COMPLETED, Campaign.Status.FAILED, Campaign.Status.CANCELLED)


@dataclass(frozen=True)
class Part:
    """A part of a group is its failures of one kind in one campaign."""

    campaign: int
    status: str
    pruned: bool
    kind: str
    ended: bool
    number: int
    marks: Decimal


def plan(key: UUID, *, campaign: int | None = None, mended: bool = False) -> Plan:
    """Foretell what a retry and a drop of a group would do, of all of it or of one campaign's part. Raises NoSuchGroup.

    `mended`: the cause of what the vendor called invalid is mended, so that those are retried too.
    """
    some, of = parts(key, campaign), group(key, campaign=campaign)
    if of is None or not some:
        raise NoSuchGroup("Nothing fails in this way any more: it was retried or dropped, or its jobs were pruned.")
    again: Counter[str] = Counter()
    stay: Counter[str] = Counter()
    keep: Counter[str] = Counter()
    drop = 0
    for part in some:
        if why := why_not_retried(part, of, mended):
            stay[why] += part.number
        else:
            again[part.kind] += part.number
        if why := why_not_dropped(part):
            keep[why] += part.number
        else:
            drop += part.number
    at_most, expected = costs(again)
    shown: dict[str, Any] = {"key": str(key), "campaign": campaign, "until": of.last.isoformat(), "mended": mended}
    shown["figures"] = figures(some)
    return Plan(
        group=of,
        campaign=campaign,
        mended=mended,
        campaigns=len({part.campaign for part in some}),
        retry=sum(again.values()),
        stay=dict(stay),
        drop=drop,
        keep=dict(keep),
        at_most_usd=at_most,
        expected_usd=expected,
        token=signing.dumps(shown, salt=SALT, compress=True),
    )


def require_current(token: str) -> Shown:
    """Return what a plan's token stands for. Raises StalePlan if anything of it has changed since, NoSuchGroup if
    nothing is left, FailuresRefused for what is no token."""
    if (shown := shown_by(token)) is None:
        raise FailuresRefused("This is no plan's token. Make a plan of the group, and send its token.")
    if shown_by(token, VALID) is None:
        raise StalePlan("This plan is older than an hour. Nothing was done: make it anew, and look at it.")
    now = figures(parts(shown.key, shown.campaign))
    if not now["count"]:
        raise NoSuchGroup("Nothing was done: these failures are gone, retried or dropped meanwhile.")
    if now != shown.figures:
        anew = plan(shown.key, campaign=shown.campaign, mended=shown.mended)
        raise StalePlan(
            f"Nothing was done: {shown.figures['count']:,} failures were shown, and other ones are there now. "
            f"{anew.sentence} Look at the group again, and decide anew."
        )
    return shown


def shown_by(token: str, valid: timedelta | None = None) -> Shown | None:
    """Read what a token stands for; None if it is none of ours, or older than `valid`."""
    try:
        read = signing.loads(token, salt=SALT, max_age=valid)
    except signing.BadSignature:
        return None
    until = datetime.fromisoformat(read["until"])
    return Shown(UUID(read["key"]), read["campaign"], until, read["mended"], read["figures"])


def figures(parts: list[Part]) -> dict[str, Any]:
    """Return what tells whether two moments have the same failures: their number, and the sum of their marks."""
    return {"count": sum(part.number for part in parts), "marks": str(sum((part.marks for part in parts), Decimal(0)))}


def why_not_retried(part: Part, of: Group, mended: bool) -> str:
    """Say why a retry leaves this part as it is; '' if it does not."""
    if part.status == Campaign.Status.CANCELLED:
        return CANCELLED
    if part.status == Campaign.Status.CREATED:
        return NOT_STARTED
    if part.pruned:
        return PRUNED
    if part.ended:
        return LEAD_ENDED
    if of.failure_type == "invalid_request" and not mended and not of.words.startswith(MARK.strip()):
        return REFUSED
    return ""


def why_not_dropped(part: Part) -> str:
    """Say why a drop leaves this part as it is; '' if it does not."""
    return TARGET if part.kind == "prepare" and part.status not in ENDED else ""


def costs(again: Counter[str]) -> tuple[Decimal, Decimal | None]:
    """Return what so many retried jobs of each kind can cost until their leads are done (USD): at most, and by what
    the latest calls cost (None if one of the services had none)."""
    at_most, expected = Decimal(0), Decimal(0)
    means, known = remaining.mean_costs() if again else {}, True
    for kind, number in again.items():
        people = REVEAL_AT_ONCE if kind == "reveal" else 1
        for step in remaining.steps_from(kind) or [kind]:
            at_most += estimate.most_of(step) * number * people
            mean = means.get(SERVICE_OF[step])
            known = known and mean is not None
            expected += (mean or Decimal(0)) * number
    at_most = at_most.quantize(CENT, "ROUND_UP")
    return at_most, min(expected.quantize(CENT, "ROUND_UP"), at_most) if known else None


def parts(key: UUID, campaign: int | None) -> list[Part]:
    """Read how many failures of a group there are, by campaign and kind."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, {"key": key, "campaign": campaign})
        return [Part(*row) for row in cursor.fetchall()]
