"""Rate limits are written here as the gate's script wants them. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RateLimit:
    """A limit allows at most `count` units in any `period` seconds, of which `burst` may come at once."""

    name: str
    count: int
    period: int
    burst: int = 0

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
        owed = self.period * 1_000_000 if self.name == "tokens" else 0
        return self.tolerance_us + self.interval_us * cost + owed


def arguments(limits: tuple[RateLimit, ...], tokens: int) -> list[int | str]:
    """Return ARGV of admit.lua for `limits`; a limit named `tokens` is charged `tokens` units, others one a call."""
    parts: list[int | str] = []
    for limit in limits:
        cost = tokens if limit.name == "tokens" else 1
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
