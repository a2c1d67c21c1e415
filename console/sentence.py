"""One sentence on top of every page says how things are, why, and what to do next. It is composed here, purely."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from circuitbreakers.models import Incident, QueuePause
from console.labels import FAILURES, FATAL, grouped, plural, service_name

READ = "read the mails on the campaign's page, then press Go on"
BUDGETS, CAMPAIGNS = "admin:circuitbreakers_budget_changelist", "admin:campaigns_campaign_changelist"
RAISE = "raise the limit, or wait until its period has turned"


@dataclass(frozen=True)
class Sentence:
    """A Sentence has a `tone`: good, idle, warn or bad.

    `next` is what an operator does, on the page of that name; `title` is put before the tab's title.
    """

    tone: str
    text: str
    next: str = ""
    title: str = ""
    page: str = "console:recovery"

    @property
    def paused(self) -> bool:
        return self.tone == "bad"


def clock(at: datetime, now: datetime, *, seconds: bool = False) -> str:
    """Write an instant as `03:12 UTC`, with its date when that is another day."""
    day, time = ("" if at.date() == now.date() else "%Y-%m-%d "), ("%H:%M:%S" if seconds else "%H:%M")
    return f"{at.strftime(day + time)} UTC"


def cause(incident: Incident) -> str:
    """Say why a breaker opened, as the end of `because`."""
    name = service_name(incident.service)
    if incident.failure_type in FATAL:
        return f"{name} {FATAL[incident.failure_type]}"
    what = FAILURES.get(incident.failure_type, incident.failure_type)
    if incident.reason.endswith("consecutive failures"):
        return f"{name} failed {plural(incident.failures, 'call')} in a row: {what}"
    if incident.reason.endswith("calls failed"):
        return f"{name} let {incident.reason.removesuffix(' calls failed')} calls fail: {what}"
    if incident.failure_type == "held":
        return f"{name} is {incident.reason}"
    return f"the breaker of {name} opened: {incident.reason or what}"


def next_step(states: Mapping[str, str], spreading: bool) -> str:
    """Say what to do about a system pause, given each breaker's state."""
    if held := [service_name(name) for name, state in states.items() if state == "held"]:
        return f"release {held[0]} when its cause is mended, then reset it"
    if shut := [service_name(name) for name, state in states.items() if state != "closed"]:
        return f"probe and reset {' and '.join(shut)}"
    if spreading:
        return "wait until the pause has reached every job, then resume the queue"
    return "resume the queue"


def held_by_budgets(held: Mapping[str, str], campaigns: int, running: int, services: int) -> str:
    """Say what waits for a budget: services, each with its sentence, or so many campaigns; '' if nothing does."""
    if len(held) == services:
        return f"everything is {next(iter(held.values()))}"
    if held:
        return "; ".join(f"{service_name(name)} is {halt}" for name, halt in held.items())
    if not campaigns:
        return ""
    verb = "is held: its budget is" if campaigns == 1 else "are held: their budgets are"
    return f"{grouped(campaigns)} of {plural(running, 'campaign')} {verb} used up"


def compose(
    *,
    now: datetime,
    redis: bool,
    states: Mapping[str, str],
    pauses: Mapping[str, QueuePause],
    incident: Incident | None,
    campaigns: Mapping[str, int],
    jobs_waiting: int,
    jobs_open: int,
    missing: list[str],
    slowed: Mapping[str, datetime],
    halted: int = 0,
    held: Mapping[str, str] | None = None,
    held_campaigns: int = 0,
    holding: int = 0,
) -> Sentence:
    """Compose the sentence: the gravest thing comes first, and each case says what waits and what to do."""
    waiting = f"{plural(campaigns.get('PAUSED', 0), 'campaign')} and {plural(jobs_waiting, 'job')} wait."
    if not redis:
        text = "Stopped: Redis does not answer, so no call is admitted. Nothing is lost; work goes on when it is back."
        return Sentence("bad", text, "bring Redis back", "STOPPED")
    if system := pauses.get(QueuePause.SYSTEM):
        why = f"because {cause(incident)}" if incident else system.reason
        text = f"Paused since {clock(system.started_at, now)} {why}. {waiting}"
        return Sentence("bad", text, next_step(states, spreading=campaigns.get("RUNNING", 0) > 0), "PAUSED")
    if shut := [service_name(name) for name, state in states.items() if state != "closed"]:
        text = f"Stopping: the breaker of {' and '.join(shut)} is not closed and the pause is spreading. {waiting}"
        return Sentence("bad", text, "wait a second; if this stays, is the supervisor running?", "PAUSED")
    if everything := pauses.get(QueuePause.ALL):
        since = clock(everything.started_at, now)
        text = f"Paused since {since} by {everything.actor}: {everything.reason}. {waiting}"
        return Sentence("bad", text, "lift that pause", "PAUSED")
    if missing:
        text = f"Nothing moves: there is no live {' and no live '.join(missing)}."
        return Sentence("bad", text, f"start the {missing[0]}", "STOPPED")
    if operators := [row for row in pauses.values() if row.service]:
        parts = [f"{row.actor} has paused {service_name(row.service or '')}: {row.reason}" for row in operators]
        return Sentence("warn", f"Running, but {'; '.join(parts)}.", "", "")
    running = campaigns.get("RUNNING", 0)
    if slowed and running:
        parts = [f"{service_name(name)} until {clock(at, now, seconds=True)}" for name, at in slowed.items()]
        return Sentence("warn", f"Running, slowed by 429 from {' and '.join(parts)}.")
    if running and (text := held_by_budgets(held or {}, held_campaigns, running, len(states))):
        return Sentence("warn", f"Running, but {text}.", RAISE, page=BUDGETS)
    if halted and running:
        verb = "waits for its target" if halted == 1 else "wait for their targets"
        text = f"Running, but {grouped(halted)} of {plural(running, 'campaign')} {verb}: Instantly does not send."
        return Sentence("warn", text, "look at the campaign; it goes on by itself", page=CAMPAIGNS)
    if holding and running:
        verb = "holds after its" if holding == 1 else "hold after their"
        return Sentence("warn", f"Running, but {plural(holding, 'campaign')} {verb} first leads.", READ, page=CAMPAIGNS)
    if running:
        return Sentence("good", f"Running: {plural(running, 'campaign')}, {plural(jobs_open, 'job')} to do.")
    if standing := campaigns.get("PAUSED", 0):
        return Sentence("idle", f"Ready. No campaign is running; {plural(standing, 'campaign')} paused by operators.")
    return Sentence("idle", "Ready. No campaign is running.", "")
