"""Rate limits are written here as the gate's script wants them. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

TOKENS = "tokens"
# What a person may type: a larger count or window is a slip of the hand, a slower pace is a pause by another name.
LARGEST_COUNT, LONGEST_PERIOD = 1_000_000_000, 31 * 86_400
SLOWEST_US = 3_600_000_000  # per call, or per thousand tokens
TYPED = re.compile(r"(tokens=)?([0-9]{1,12})/([0-9]{1,12})(?::([0-9]{1,12}))?")
HOW = "Write COUNT/SECONDS in whole numbers above zero, such as 200/60 or tokens=30000/60."


@dataclass(frozen=True)
class RateLimit:
    """A limit allows at most `count` units in any `period` seconds, of which `burst` may come at once."""

    name: str
    count: int
    period: int
    burst: int = 0

    def __str__(self) -> str:
        """Return it as it is typed."""
        tokens, burst = (f"{TOKENS}=" if self.name == TOKENS else ""), (f":{self.burst}" if self.burst else "")
        return f"{tokens}{self.count}/{self.period}{burst}"

    @property
    def allowance(self) -> int:
        """Return how many units may come at once: a tenth of the count unless set."""
        return min(self.count, self.burst or max(1, self.count // 10))

    @property
    def interval_us(self) -> int:
        """Return the microseconds per unit, so that burst and steady pace together stay inside `count` per `period`."""
        return -(-self.period * 1_000_000 // max(1, self.count - self.allowance + 1))

    @property
    def tolerance_us(self) -> int:
        """Return how far ahead of the pace a call may come, in microseconds."""
        return self.interval_us * (self.allowance - 1)

    def longest_us(self, cost: int) -> int:
        """Return how far ahead the next arrival can lie after a call of `cost` units; tokens may be owed for a period
        more."""
        owed = self.period * 1_000_000 if self.name == TOKENS else 0
        return self.tolerance_us + self.interval_us * cost + owed

    def most_in(self, seconds: int) -> int:
        """Return how many units it lets through in any so many seconds."""
        return self.allowance - 1 + -(-seconds * 1_000_000 // self.interval_us)

    def scaled(self, percent: int) -> "RateLimit":
        """Return it at so many per cent of its pace and of its burst. It keeps its name, and no arrival that it has
        written is further ahead than the slower one writes: the gate forgets nothing."""
        if percent == 100:
            return self
        share = Fraction(percent, 100)
        burst = -(-self.allowance * percent // 100)
        steady = (self.count - self.allowance + 1) * share.numerator
        return RateLimit(self.name, steady - 1 + burst, self.period * share.denominator, burst)


def arguments(limits: tuple[RateLimit, ...], tokens: int) -> list[int | str]:
    """Return ARGV of admit.lua for `limits`; a limit named `tokens` is charged `tokens` units, others one a call."""
    parts: list[int | str] = []
    for limit in limits:
        cost = tokens if limit.name == TOKENS else 1
        parts += [limit.name, limit.interval_us, limit.tolerance_us, cost, limit.longest_us(cost)]
    return parts


def parse(text: str) -> tuple[RateLimit, ...]:
    """Read `200/60,6000/3600,tokens=30000/60`: counts per seconds. A burst stands after a colon
    (`100/1:10`). Raises ValueError."""
    limits = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, rate = part.rpartition("=")
        rate, _, burst = rate.partition(":")
        count, _, period = rate.partition("/")
        limit = RateLimit(name or f"per_{period}s", int(count), int(period), int(burst or 0))
        if limit.count < 1 or limit.period < 1 or limit.burst < 0:
            raise ValueError(f"{part!r} is not COUNT/SECONDS")
        limits.append(limit)
    return tuple(limits)


def text_of(limits: Iterable[RateLimit]) -> str:
    """Write limits as `parse` reads them."""
    return ",".join(map(str, limits))


def typed(text: str) -> tuple[RateLimit, ...]:
    """Read limits that a person has typed, as `parse` does; raises ValueError with a sentence that says what to do."""
    limits: dict[str, RateLimit] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        found = TYPED.fullmatch(part)
        if not found:
            raise ValueError(f"{part!r} is no limit. {HOW}")
        (limit,) = parse(part) if int(found[2]) and int(found[3]) else (None,)
        if limit is None:
            raise ValueError(f"{part!r} lets nothing through. {HOW} To stop the service, pause its queue.")
        if problem := _absurd(limit):
            raise ValueError(f"{part!r} {problem}")
        if limit.name in limits:
            what = "tokens" if limit.name == TOKENS else f"{limit.period} seconds"
            raise ValueError(f"There are two limits of {what}: keep one of them.")
        limits[limit.name] = limit
    if not limits:
        raise ValueError(f"There is no limit in {text!r}. {HOW}")
    return tuple(limits.values())


def _absurd(limit: RateLimit) -> str:
    """Say what is absurd about a limit; '' when nothing is."""
    units, each = ("tokens", 1000) if limit.name == TOKENS else ("calls", 1)
    if limit.count > LARGEST_COUNT:
        return f"is more than {LARGEST_COUNT:,} {units}: count the zeros."
    if limit.period > LONGEST_PERIOD:
        return f"is longer than {LONGEST_PERIOD:,} seconds (31 days): name the limit of a shorter time."
    if limit.burst > limit.count:
        return f"has a burst above its count: at most {limit.count:,} may come at once."
    if limit.interval_us * each > SLOWEST_US:
        return f"is less than {each:,} {units} an hour: allow more, or pause the service's queue."
    return ""


def above(limits: tuple[RateLimit, ...], published: tuple[RateLimit, ...]) -> list[str]:
    """Say which of a vendor's published limits these would break, a sentence each; empty when they keep them all."""
    broken = []
    for theirs in published:
        tokens = theirs.name == TOKENS
        ours = [
            limit.count if limit.period == theirs.period else limit.most_in(theirs.period)
            for limit in limits
            if (limit.name == TOKENS) == tokens
        ]
        units = "tokens" if tokens else "calls"
        allowed = f"the vendor publishes {theirs.count:,} {units} in {theirs.period:,} s"
        if not ours:
            broken.append(f"{allowed}, and this sets no limit of {units}")
        elif min(ours) > theirs.count:
            broken.append(f"{allowed}, this would let {min(ours):,} through")
    return broken
