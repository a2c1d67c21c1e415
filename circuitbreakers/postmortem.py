"""The post-mortem shows an incident's timeline to people, and writes the whole incident as Markdown."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from circuitbreakers.models import Event, Incident
from circuitbreakers.probes import PROBED
from circuitbreakers.states import instant

MOST = 20_000
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~])")


@dataclass(frozen=True)
class Entry:
    """An entry is one line of a timeline; it stands for `count` things to which the same happened in a row, until
    `last`."""

    at: datetime | None
    what: str
    who: str
    door: str
    reason: str
    count: int = 1
    last: datetime | None = None


def entries(incident: Incident) -> list[Entry]:
    """Return the timeline from the first failure on, oldest first; what happened to a thousand campaigns at once, or a
    probe that found the same again and again, is one entry."""
    failures = [_failure(row) for row in reversed(incident.evidence)]
    return failures + list(_grouped(Event.objects.filter(incident=incident).order_by("id")[:MOST].iterator()))


def _failure(row: dict[str, str]) -> Entry:
    what = f"call failed: {row.get('failure_type', '')}"
    return Entry(instant(row.get("at")), what, row.get("worker", ""), "worker", row.get("error", ""))


def _grouped(rows: Iterator[Event]) -> Iterator[Entry]:
    run: list[Event] = []
    for row in rows:
        if run and _kind(run[0]) != _kind(row):
            yield _entry(run)
            run = []
        run.append(row)
    if run:
        yield _entry(run)


def _kind(row: Event) -> tuple[str, ...]:
    # Notes and people's single acts stay what they are: only campaigns come in thousands, and probes once a minute.
    many = {"campaign": "", PROBED: row.subject_id}
    single = many.get(row.verb, many.get(row.subject_type, str(row.pk)))
    return row.subject_type, row.verb, row.actor, row.reason, single


def _entry(run: list[Event]) -> Entry:
    first = run[0]
    one = first.subject_type if first.subject_type == "queue" else f"{first.subject_type} {first.subject_id}"
    subject = f"{len(run):,} {first.subject_type}s" if first.subject_type == "campaign" and len(run) > 1 else one
    times = f" {len(run):,} times" if first.verb == PROBED and len(run) > 1 else ""
    what = f"{subject} {first.verb.replace('_', ' ')}{times}{_numbers(run)}"
    return Entry(first.at, what, first.actor, first.door, first.reason, len(run), run[-1].at)


def _numbers(run: list[Event]) -> str:
    """Write the counts that a single event carries: ` (jobs: 60)`."""
    after = run[0].after
    if len(run) > 1 or not isinstance(after, dict):
        return ""
    counts = [f"{name}: {value:,}" for name, value in after.items() if type(value) is int]
    return f" ({', '.join(counts)})" if counts else ""


def plain(text: str) -> str:
    """Escape a text so that Markdown shows it as it is, on one line."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def markdown(incident: Incident) -> str:
    """Write the incident as a document."""
    ended = f"{incident.reset_at:%Y-%m-%d %H:%M:%S} by {plain(incident.reset_by)}" if incident.reset_at else "not yet"
    resumed = incident.pause.ended_at
    lines = [
        f"# Incident {incident.pk}: {incident.service}, {plain(incident.reason)}",
        "",
        f"- Opened: {incident.opened_at:%Y-%m-%d %H:%M:%S} UTC after {incident.failures} failures"
        f" ({plain(incident.failure_type)})",
        f"- Paused: {incident.campaigns_paused:,} campaigns, {incident.jobs_paused:,} jobs",
        f"- Reset: {ended}" + (f": {plain(incident.reset_reason)}" if incident.reset_reason else ""),
        f"- System pause ended: {f'{resumed:%Y-%m-%d %H:%M:%S} by {plain(incident.pause.ended_by)}' if resumed else 'not yet'}",  # noqa: E501
        f"- Acknowledged: {plain(incident.acknowledged_by) or 'by nobody'}"
        + (f", assigned to {plain(incident.assigned_to)}" if incident.assigned_to else ""),
        "",
        "## Timeline (UTC)",
        "",
        "| when | what | who | through | why |",
        "|---|---|---|---|---|",
    ]
    for row in entries(incident):
        at = f"{row.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] if row.at else ""
        lines.append(f"| {at} | {plain(row.what)} | {plain(row.who)} | {plain(row.door)} | {plain(row.reason)} |")
    return "\n".join([*lines, "", "## What we learned", "", ""])
