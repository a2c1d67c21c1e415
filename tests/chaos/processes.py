"""What the kernel says of processes: who is in a group, and how much memory each holds."""

import contextlib
import os
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")


def of_group(leader: int) -> list[int]:
    """Return the processes of the group that `leader` leads, itself included; none when it is gone."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int(stat.read_text(errors="replace").rpartition(")")[2].split()[2]) == leader:
                found.append(int(stat.parent.name))
    return found


def megabytes(pid: int) -> int:
    """Return how much of a process is in memory; 0 when it is gone."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE // 2**20
    return 0
