"""What came of each injection: calls that were flagged, people charged twice, leads lost while it went on."""

from collections import Counter, defaultdict
from typing import Any

from local.drill import Drill
from tests.chaos.invariants import calls

FLAGGED = "SELECT extract(epoch FROM admitted_at) FROM vendor_calls WHERE may_be_charged"
LOST = """
SELECT extract(epoch FROM coalesce(max(v.admitted_at), l.created_at)) FROM leads l
JOIN campaigns c ON c.id = l.campaign_id LEFT JOIN job_rows j ON j.lead_id = l.id
LEFT JOIN vendor_calls v ON v.job_id = j.id WHERE l.state = 'OPEN' AND c.status <> 'CANCELLED' GROUP BY l.id
"""


def attributed(books: Drill, done: list[Any]) -> None:
    """Give each injection the numbers `flagged`, `twice` (pushes of one address beyond its first) and `lost`: of what
    happened from its beginning to that of the next one."""
    seen: set[str] = set()
    twice = []
    for call in calls(books):
        if call["service"] == "instantly":
            for key in call["charges"]:
                if key in seen:
                    twice.append(call["at"])
                seen.add(key)
    happened = {
        "flagged": [float(at) for (at,) in books.rows(FLAGGED)],
        "twice": twice,
        "lost": [float(at) for (at,) in books.rows(LOST)],
    }
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for what, instants in happened.items():
        for at in instants:
            before = [number for number, one in enumerate(done) if one.began <= at]
            counts[before[-1] if before else 0][what] += 1
    for number, one in enumerate(done):
        for what in happened:
            setattr(one, what, counts[number][what])
