"""What must hold, whatever was broken: each invariant has a name and a function that lists what contradicts it.

Those of ALWAYS may be asked in the middle of everything, those of AT_REST when all campaigns have ended.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from circuitbreakers.services import SERVICES
from local.drill import Drill
from tests.chaos.house import SUPERVISORS, WORKERS, House
from tests.chaos.processes import megabytes, of_group

Invariant = Callable[[House, Drill], list[Any]]
NOBODY = ""

# The switch is thrown in Redis, and the row follows; all clocks here are the machine's.
ADMITTED_LATE = """
SELECT v.id, v.service, v.admitted_at, p.started_at, i.opened_at FROM queue_pauses p
LEFT JOIN incidents i ON i.pause_id = p.id JOIN vendor_calls v
ON v.admitted_at > coalesce(i.opened_at, p.started_at) AND v.admitted_at < coalesce(p.ended_at, 'infinity')
WHERE p.key = 'system'
"""
PAUSES = """
SELECT extract(epoch FROM least(p.started_at, min(i.opened_at))), extract(epoch FROM coalesce(p.ended_at, now()))
FROM queue_pauses p LEFT JOIN incidents i ON i.pause_id = p.id WHERE p.key = 'system' GROUP BY p.id
"""
# An attempt is a failure of the vendor's, and each of these has its call in the ledger.
ATTEMPTS = """
SELECT j.id, j.attempts, count(v.id) FROM job_rows j LEFT JOIN vendor_calls v
ON v.job_id = j.id AND v.outcome <> 'success' GROUP BY j.id HAVING j.attempts > count(v.id)
"""
# What a restart of Valkey without its latest writes has undone is found by the supervisor, as a new opening.
TWICE_OPEN = """
SELECT service, count(*) FROM incidents WHERE reset_at IS NULL GROUP BY 1 HAVING count(*) > 1
UNION ALL SELECT service, count(*) FROM incidents GROUP BY service, epoch HAVING count(*) > 1
"""
BY_NOBODY = """
SELECT id, subject_type, subject_id, verb, actor FROM events
WHERE (subject_type, verb) IN (('breaker', 'reset'), ('queue', 'resumed'), ('campaign', 'resumed'))
AND actor NOT IN ('ann', 'bob', 'chaos', 'drill')
"""
NO_CAUSE = """
SELECT 'pause', p.id FROM queue_pauses p WHERE p.key = 'system' AND NOT EXISTS (SELECT FROM events e
WHERE (e.verb = 'opened' OR (e.subject_id, e.reason) = ('system', 'Found in the switch only'))
AND e.at BETWEEN p.started_at - interval '1 s' AND coalesce(p.ended_at, now()))
UNION ALL SELECT 'campaign', id FROM campaigns
WHERE status = 'PAUSED' AND system_paused_at IS NULL AND operator_paused_at IS NULL
"""
KNOWN = """
SELECT v.service, l.email, j.payload -> 'people', v.may_be_charged, v.cost_usd + v.credits > 0
FROM vendor_calls v LEFT JOIN job_rows j ON j.id = v.job_id LEFT JOIN leads l ON l.id = j.lead_id
WHERE v.may_be_charged OR v.cost_usd + v.credits > 0
"""
UNFINISHED = """
SELECT 'campaign ' || id, status, status_message FROM campaigns WHERE finished_at IS NULL
UNION ALL SELECT 'jobs', status, count(*)::text FROM jobs WHERE status IN ('PENDING', 'PROCESSING', 'PAUSED') GROUP BY 2
"""
ENDS = """
SELECT c.id, count(l.id), count(l.id) FILTER (WHERE l.state IN ('PUSHED', 'DROPPED', 'FAILED'))
FROM campaigns c JOIN leads l ON l.campaign_id = c.id WHERE c.status <> 'CANCELLED'
GROUP BY 1 HAVING count(l.id) <> count(l.id) FILTER (WHERE l.state IN ('PUSHED', 'DROPPED', 'FAILED'))
"""
# Megabytes of a process, sessions of PostgreSQL for all processes together, megabytes of one log.
MOST_MEMORY, MOST_SESSIONS, MOST_LOG = 400, 120, 50


def rows(sql: str) -> Invariant:
    return lambda house, books: books.rows(sql)


def calls(books: Drill) -> list[dict[str, Any]]:
    return [call for call in books.control("calls?since=0") if not call["probe"]]


def arrived_late(house: House, books: Drill) -> list[Any]:
    pauses = [(float(opened), float(ended)) for opened, ended in books.rows(PAUSES)]
    return [
        (call["service"], call["path"], round(call["at"] - opened, 3))
        for call in calls(books)
        for opened, ended in pauses
        if opened + 1 < call["at"] < ended
    ]


def pushed_twice(house: House, books: Drill) -> list[Any]:
    """An address that was added twice, to one campaign at Instantly or to two."""
    times: Counter[str] = Counter()
    for addresses in books.control("bill")["instantly"]["pushes"].values():
        times.update(addresses)
    return [(address, number) for address, number in times.items() if number > 1]


def charges(books: Drill) -> Counter[tuple[str, str]]:
    """How often the sandbox charged for whom."""
    return Counter((call["service"], key) for call in calls(books) for key in call["charges"])


def known(books: Drill) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """How often the ledger has booked a charge for whom, and how often flagged one that may have been made."""
    booked: Counter[tuple[str, str]] = Counter()
    flagged: Counter[tuple[str, str]] = Counter()
    for service, email, people, lost, cost in books.rows(KNOWN):
        # For whom a call was that PostgreSQL has lost with its job, nobody knows.
        keys = [(service, key) for key in people or [email or NOBODY]]
        if lost:
            flagged.update(keys)
        elif cost:
            booked.update(keys)
    return booked, flagged


def charged_unknown(house: House, books: Drill) -> list[Any]:
    booked, flagged = known(books)
    short = {key: times - booked[key] - flagged[key] for key, times in charges(books).items()}
    beyond = Counter({service: -booked[service, NOBODY] - flagged[service, NOBODY] for service in SERVICES})
    for (service, _), missing in short.items():
        beyond[service] += max(missing, 0)
    return [
        (*key, f"charged {times}, booked {booked[key]}, flagged {flagged[key]}, of the service {beyond[key[0]]} short")
        for key, times in charges(books).items()
        if short[key] > 0 and beyond[key[0]] > 0
    ]


def booked_too_much(house: House, books: Drill) -> list[Any]:
    charged = charges(books)
    booked = known(books)[0]
    return [(*key, times, charged[key]) for key, times in booked.items() if times > charged[key] and key[1] != NOBODY]


def out_of_bounds(house: House, books: Drill) -> list[Any]:
    found: list[Any] = []
    for name in (*WORKERS, *SUPERVISORS, "web"):
        most = max(map(megabytes, of_group(house.child(name).pid)), default=0)
        if most > MOST_MEMORY:
            found.append((name, f"{most} MB"))
        if (log := house.child(name).log).exists() and (size := log.stat().st_size / 2**20) > MOST_LOG:
            found.append((log.name, f"{size:.0f} MB"))
    sessions = books.value("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
    return [*found, *([("sessions", sessions)] if sessions > MOST_SESSIONS else [])]


def reconciled(house: House, books: Drill) -> list[Any]:
    done = house.manage("reconcile")
    return [] if done.returncode == 0 else [done.stdout.strip()[-1500:], done.stderr.strip()[-500:]]


ALWAYS: dict[str, Invariant] = {
    "no call is admitted while the switch is off": rows(ADMITTED_LATE),
    "none arrives more than 1 s after it": arrived_late,
    "no address is pushed twice, also across campaigns": pushed_twice,
    "attempts are not spent by pauses": rows(ATTEMPTS),
    "one incident an opening": rows(TWICE_OPEN),
    "nothing is recovered without an operator": rows(BY_NOBODY),
    "memory, connections and logs are bounded": out_of_bounds,
}
AT_REST: dict[str, Invariant] = ALWAYS | {
    "every pause has a cause": rows(NO_CAUSE),
    "the system comes to rest": rows(UNFINISHED),
    "in = pushed + dropped + failed": rows(ENDS),
    "what may have been charged twice is flagged": charged_unknown,
    "nothing is booked that was not charged": booked_too_much,
    "tallies equal rows, stores agree, leads have one end": reconciled,
}
