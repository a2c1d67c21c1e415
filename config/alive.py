"""`python -m config.alive worker` says whether this machine's workers, or its supervisor, still give signs of life.

For health checks and probes: exit status 1 if a sign is missing, with the reason. It sets up no Django, so that asking
costs a quarter of a second, and it reads the environment alone, no `.env`.
"""

import argparse
import socket
import sys
from collections.abc import Sequence
from typing import Any

import psycopg

from config.stores import database

# A sign is written every two seconds. What is silent for so long (seconds) is frozen, or cut off from PostgreSQL.
SILENCE = 30
FRESH = """
SELECT count(*) FROM processes
WHERE role = %s AND starts_with(name, %s) AND seen_at > now() - make_interval(secs => %s)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if as many processes as wanted are alive, or PostgreSQL cannot say; else 1."""
    parser = argparse.ArgumentParser(description="Say whether this machine's processes give signs of life.")
    parser.add_argument("role", choices=["worker", "supervisor"])
    parser.add_argument("--processes", type=int, default=1, help="how many there must be (1)")
    parser.add_argument("--silence", type=float, default=SILENCE, help=f"seconds without a sign ({SILENCE})")
    wanted = parser.parse_args(arguments)
    try:
        found = count(wanted.role, wanted.silence)
    except psycopg.Error as error:
        # Nobody is healthier for a restart, and calls in flight would be lost by it.
        sys.stdout.write(f"PostgreSQL does not say: {type(error).__name__}\n")
        return 0
    told = f"{found} of {wanted.processes} {wanted.role} processes gave a sign within {wanted.silence:g} s"
    sys.stdout.write(f"{told}\n")
    return int(found < wanted.processes)


def count(role: str, silence: float) -> int:
    """Count the processes of that role on this machine with a sign younger than so many seconds. Raises
    psycopg.Error."""
    with psycopg.connect(**parameters(), autocommit=True) as session:
        row = session.execute(FRESH, [role, f"{socket.gethostname()}:", silence]).fetchone()
    return int(row[0]) if row else 0


def parameters() -> dict[str, Any]:
    """Return what psycopg connects with, as Django would."""
    entry = database("DATABASE_URL")
    named = {"host": "HOST", "port": "PORT", "dbname": "NAME", "user": "USER", "password": "PASSWORD"}
    return {**{ours: entry[its] for ours, its in named.items() if entry.get(its)}, **entry["OPTIONS"]}


if __name__ == "__main__":
    sys.exit(main())
