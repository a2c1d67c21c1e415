"""What work costs: calls a second, CPU by process, commits and WAL, between two instants of a running stack."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(root: int) -> float:
    """Seconds of CPU that a process, all its descendants and their ended children have used."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        pid = int(stat.parent.name)
        parents[pid], used[pid] = int(fields[1]), sum(int(field) for field in fields[11:15])
    return sum(ticks for pid, ticks in used.items() if _descends(pid, root, parents)) / TICK


def _descends(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid and pid != root:
        pid = parents.get(pid, 0)
    return pid == root


@dataclass(frozen=True)
class Reading:
    """The counters of one instant."""

    calls: int
    seconds: float
    cpu: dict[str, float]
    commits: int
    wal: int

    def since(self, before: "Reading") -> "Cost":
        calls, seconds = self.calls - before.calls, self.seconds - before.seconds
        return Cost(
            calls / seconds,
            {name: 1000 * (used - before.cpu[name]) / calls for name, used in self.cpu.items()},
            (self.commits - before.commits) / calls,
            (self.wal - before.wal) / calls,
        )


@dataclass(frozen=True)
class Cost:
    """Calls a second; of each call the CPU by process (ms), commits, and bytes of WAL."""

    rate: float
    cpu: dict[str, float]
    commits: float
    wal: float

    def ours(self, apart: Iterable[str] = ("sandbox", "web")) -> float:
        return sum(used for name, used in self.cpu.items() if name not in apart)


def counters(database: psycopg.Connection) -> tuple[int, int]:
    """Commits of this database and the end of the WAL."""
    row = database.execute(
        "SELECT pg_stat_get_db_xact_commit(oid), pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint "
        "FROM pg_database WHERE datname = current_database()"
    ).fetchone()
    assert row
    return int(row[0]), int(row[1])
