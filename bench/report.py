"""The figures of all benchmarks are kept in docs/performance.json, and docs/performance.md is written from them.

Each benchmark replaces its own figures alone, and says when, where, with what code and beside what load it ran.
"""

import json
import os
import platform
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.measured import Limit, Measured, number
from local.embedded import postgres_binary

ROOT = Path(__file__).resolve().parent.parent
FIGURES, PAGE = ROOT / "docs" / "performance.json", ROOT / "docs" / "performance.md"
ALL = (
    "throughput",
    "gate",
    "idle",
    "pause",
    "memory",
    "dispatch",
    "visible",
    "webhook",
    "console",
    "failures",
    "fresh_import",
    "files",
    "prune",
)

HEAD = """# Performance

`make bench` measures all of this, each benchmark on servers of its own, and `python -m bench --report` writes this page
from `performance.json`: do not edit it. `make bench ARGS="gate pause"` picks some. Ratios come first, for they mean the
same on any machine; times and rates are those of the machine below. A limit that is not kept stays here, and says so.
"""


def circumstances(name: str) -> dict[str, Any]:
    """Say with what code, where and beside what load (1, 5, 15 minutes) a benchmark begins now."""
    return {
        "command": f"python -m bench {name}",
        "commit": commit(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": [round(average, 2) for average in os.getloadavg()],
        "machine": machine(),
    }


def keep(name: str, title: str, begun: dict[str, Any], measured: Measured) -> None:
    """Put the figures of one benchmark, and the circumstances under which it began, in place of its former ones."""
    figures = read() | {name: {"title": title, **begun, **asdict(measured)}}
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")


def read() -> dict[str, Any]:
    """Return the figures kept, by benchmark, in the order of ALL."""
    kept = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    return {name: kept[name] for name in ALL if name in kept}


def machine() -> dict[str, Any]:
    """Say on what was measured: cores, processor, memory and versions."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    postgresql = subprocess.run([postgres_binary("postgres"), "--version"], capture_output=True, text=True, check=True)
    return {
        "cores": os.cpu_count(),
        "processor": cpu[0].partition(":")[2].strip() if cpu else platform.machine(),
        "memory_gb": round(pages / 2**30, 1),
        "python": platform.python_version(),
        "postgresql": postgresql.stdout.split()[-1],
    }


def commit() -> str:
    """Name the commit that runs; a `+` says that files differ from it, the figures themselves aside."""
    described = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    changes = ["git", "status", "--porcelain", "--", ".", ":!docs/performance.*"]
    changed = subprocess.run(changes, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return (described.stdout.strip() or "unknown") + ("+" if changed else "")


def write() -> None:
    """Write the page anew from the figures."""
    PAGE.write_text(page(read()))


def page(figures: dict[str, Any]) -> str:
    """Return the page: which limits are kept, how it was measured, then a table for each benchmark."""
    return "\n".join([HEAD, limits(figures), runs(figures), *map(section, figures.values())])


def limits(figures: dict[str, Any]) -> str:
    rows = [["what", "measured", "limit", "kept", "by"]]
    for name, entry in figures.items():
        for limit in (Limit(**fields) for fields in entry["limits"]):
            kept = "yes" if limit.kept else "**no**"
            rows.append([limit.what, f"{number(limit.value)} {limit.unit}".strip(), limit.wanted, kept, f"`{name}`"])
    return f"## Limits\n\n{table(rows)}"


def runs(figures: dict[str, Any]) -> str:
    rows = [["benchmark", "command", "commit", "at (UTC)", "load before (1, 5, 15 min)"]]
    for name, entry in figures.items():
        before = ", ".join(map(str, entry["load_before"]))
        rows.append([name, f"`{entry['command']}`", entry["commit"], entry["at"][:16].replace("T", " "), before])
    machines = {json.dumps(entry["machine"]): entry["machine"] for entry in figures.values()}
    lines = [
        f"{it['cores']} cores of {it['processor']}, {it['memory_gb']} GB, Python {it['python']}, "
        f"PostgreSQL {it['postgresql']}."
        for it in machines.values()
    ]
    told = (
        "A `+` at a commit says that files differed from it. The load before is the previous benchmark's and that of "
        "other work on the machine, which was not always idle.\n"
    )
    return "\n".join(["## How it was measured\n", *lines, "", table(rows), told])


def section(entry: dict[str, Any]) -> str:
    lines = [f"## {entry['title']}\n"]
    if entry["rows"]:
        columns = list(entry["rows"][0])
        lines.append(table([columns, *([number(row[name]) for name in columns] for row in entry["rows"])]))
    lines += [f"- {note}" for note in entry["notes"]]
    return "\n".join(lines) + "\n"


def table(rows: list[list[str]]) -> str:
    head, *body = ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body]) + "\n"
