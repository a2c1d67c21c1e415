"""This table says which events are told, how grave each is, and in which words. Pure."""

from dataclasses import dataclass

INFO, WARNING, CRITICAL = SEVERITIES = ("info", "warning", "critical")


@dataclass(frozen=True)
class Kind:
    """A kind of message. `subject` is filled with the event's `id` (a service, a budget's scope) and `actor`.

    `page` names the page of the console where something can be done about it. `facts`: the event's reason is part of
    the message; `sentence`: so is the console's first sentence.
    """

    name: str
    severity: str
    subject: str
    page: str = "console:recovery"
    facts: bool = True
    sentence: bool = True


BUDGETS = "admin:circuitbreakers_budget_changelist"
INDEX = "admin:index"

# By an event's subject type and verb.
OF_EVENTS = {
    ("breaker", "opened"): Kind("opened", CRITICAL, "{id} has stopped: everything is paused", facts=False),
    ("breaker", "reset"): Kind("reset", INFO, "{id} was reset by {actor}", facts=False),
    ("queue", "paused"): Kind("paused", INFO, "{actor} paused the queue ({id})"),
    ("queue", "resume_refused"): Kind("resume_refused", WARNING, "A resume by {actor} was refused"),
    ("queue", "resumed"): Kind("resumed", INFO, "{actor} resumed the queue ({id})"),
    ("queue", "resume_interrupted"): Kind("resume_interrupted", WARNING, "A resume by {actor} was interrupted"),
    ("queue", "resume_done"): Kind("resume_done", INFO, "The resume is done"),
    ("breaker", "stopped_at_canary"): Kind(
        "stopped_at_canary", CRITICAL, "{id} failed again: the resume stopped at its canary"
    ),
    ("breaker", "stopped_at_ramp"): Kind(
        "stopped_at_ramp", CRITICAL, "{id} failed again: the resume stopped at a step"
    ),
    ("queue", "reminded"): Kind("reminded", WARNING, "A planned pause is over and still stands ({id})"),
    ("breaker", "reminded"): Kind("reminded", WARNING, "{id} is still held"),
    ("queue", "planned_pause_missed"): Kind("planned_pause_missed", WARNING, "A planned pause was missed ({id})"),
    ("budget", "nears_limit"): Kind("budget_nears_limit", WARNING, "A budget is nearly used up ({id})", page=BUDGETS),
    ("budget", "used_up"): Kind("budget_used_up", WARNING, "A budget is used up ({id})", page=BUDGETS),
    ("breaker", "foretold"): Kind("foretold", WARNING, "{id} ends soon", page=INDEX, sentence=False),
    ("incident", "acknowledged"): Kind("acknowledged", INFO, "{actor} is at incident {id}"),
    ("incident", "assigned"): Kind("assigned", INFO, "{actor} assigned incident {id}"),
}

# What is told without an event.
STANDING = Kind("standing", CRITICAL, "Paused for {id}, and nobody is at it")
DIGEST = Kind("digest", WARNING, "{id} more messages", page="admin:notifications_delivery_changelist")
TEST = Kind("test", INFO, "A test message, sent by {actor}")
CONDITIONS = {
    "no_supervisor": Kind("no_supervisor", CRITICAL, "No supervisor is alive", page=INDEX),
    "no_worker": Kind("no_worker", CRITICAL, "No worker is alive", page=INDEX),
    "books": Kind("books", CRITICAL, "The books do not balance", page=INDEX),
}
ENDED = Kind("well_again", INFO, "Well again: {id}", page=INDEX)

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (*OF_EVENTS.values(), STANDING, *CONDITIONS.values(), ENDED, DIGEST, TEST)
}


def of_event(subject_type: str, verb: str) -> Kind | None:
    """Return the kind of message that such an event is told by; None for most."""
    return OF_EVENTS.get((subject_type, verb))


def key_of(kind: str, event: int, incident: int | None) -> str:
    """Name what is told, so that it is told once: an opening by its incident, which is one in the whole fleet (unique
    on service and epoch), anything else by its event."""
    return f"opened:{incident}" if kind == "opened" and incident else f"event:{event}"
