"""These are the verbs on a campaign, as buttons; each says afterwards of which campaign what was done, and what happens
now."""

from collections.abc import Callable, Sequence

from django.urls import reverse
from django.utils.html import format_html

from campaigns import estimate, first_leads, lifecycle, targets
from campaigns.duplicate import duplicate as make_duplicate
from campaigns.models import Campaign
from campaigns.moves import warnings_of
from campaigns.permissions import ADD_CAMPAIGN, OPERATE_CAMPAIGN
from console.admin.verbs import AdminVerb
from console.labels import plural
from console.orders import Order

Status = Campaign.Status
# The start form says what so many leads cost, beside all of them.
SOME = 10


def calls(verb: Callable[..., object], said: str) -> Callable[[Campaign, Order], str]:
    """Return a verb of campaigns/ in the form that an AdminVerb runs; `said` is what was done, {} its campaign."""

    def run(row: Campaign, order: Order) -> str:
        verb(row.pk, actor=order.actor, reason=order.reason)
        return said.format(f"“{row.name}”")

    return run


def start(row: Campaign, order: Order) -> str:
    lifecycle.start(row.pk, actor=order.actor, reason=order.reason, first=order.first)
    leads = estimate.to_do(row, order.first)
    return started(row, leads, order.first)


def started(row: Campaign, leads: int, first: int | None) -> str:
    """Say that a campaign with so many leads runs, and what happens now."""
    begins = "its search is read first" if row.search else "their addresses are verified first"
    if first:
        some = "its first lead" if first == 1 else f"its first {first} leads"
        return f"“{row.name}” runs with {some}: {begins}. Then it holds, and nothing is pushed before you go on."
    return f"“{row.name}” runs with {plural(leads, 'lead')}: {begins}. The numbers on its page move by themselves."


def foretold(rows: Sequence[Campaign]) -> list[str]:
    """Say before a start what each campaign will cost, what its first leads alone, and what will not last for all."""
    lines = []
    for row in rows:
        if row.status == Status.CREATED:
            first = estimate.of_campaign(row, first=SOME).sentence
            lines.append(f"{row.name}: {estimate.of_campaign(row).sentence} {first}")
            lines += [f"Warning: {warning}" for warning in warnings_of(row)]
    return list(dict.fromkeys(lines))


def retry_failed(row: Campaign, order: Order) -> str:
    count = lifecycle.retry_failed(row.pk, actor=order.actor, reason=order.reason)
    if not count:
        return f"Nothing of “{row.name}” had failed through a vendor's fault: nothing was put back."
    return f"{plural(count, 'failed job')} of “{row.name}” are put back, with fresh attempts."


def duplicate(row: Campaign, order: Order) -> str:
    copy = make_duplicate(row, actor=order.actor)
    page = reverse("admin:campaigns_campaign_guided", args=[copy.pk, "people"])
    return format_html(
        '<a href="{}">“{}”</a> is made like “{}”, without its leads: say where its people come from, then start it.',
        page,
        copy.name,
        row.name,
    )


def retarget(row: Campaign, order: Order) -> str:
    lifecycle.retarget(row.pk, target=order.target, actor=order.actor, reason=order.reason)
    into = f"into campaign {order.target} at Instantly" if order.target else "into a campaign that is made at Instantly"
    return f"“{row.name}” pushes {into} from now on. What has been pushed stays where it is."


VERBS = {
    "start": AdminVerb(
        "Start",
        OPERATE_CAMPAIGN,
        start,
        "Its leads go through all services; that costs money.",
        legal=lambda row: row.status == Status.CREATED,
        may_hold=True,
        foretold=foretold,
    ),
    "go_on": AdminVerb(
        "Go on",
        OPERATE_CAMPAIGN,
        calls(
            first_leads.go_on, "{} goes on with all its leads: what is written is pushed now, the others are taken in."
        ),
        "All leads, after the first ones: what is written is pushed.",
        legal=lambda row: row.first_leads is not None and not row.finished,
        foretold=lambda rows: [f"Warning: {text}" for row in rows for text in warnings_of(row)],
    ),
    "pause": AdminVerb(
        "Pause",
        OPERATE_CAMPAIGN,
        calls(
            lifecycle.pause, "{} is paused: calls in flight end and are booked, nothing new begins. Resume it to go on."
        ),
        "A pause of your own survives a queue resume.",
        legal=lambda row: row.status in (Status.RUNNING, Status.PAUSED) and not row.operator_paused_at,
        reason_required=True,
    ),
    "resume": AdminVerb(
        "Resume",
        OPERATE_CAMPAIGN,
        calls(lifecycle.resume, "{} runs again: its waiting jobs go on where they were."),
        "Lifts an operator's pause. The system's, the queue resume.",
        legal=lambda row: row.status == Status.PAUSED and not row.system_paused_at,
    ),
    "retry_failed": AdminVerb(
        "Retry what failed",
        OPERATE_CAMPAIGN,
        retry_failed,
        "Paying only for what was not paid.",
        legal=lambda row: row.status not in (Status.CREATED, Status.CANCELLED),
    ),
    "cancel": AdminVerb(
        "Cancel",
        OPERATE_CAMPAIGN,
        calls(
            lifecycle.cancel,
            "{} is cancelled for good: its open leads are dropped, calls in flight end and are booked.",
        ),
        "It ends for good; a call in flight finishes and is booked.",
        legal=lambda row: not row.finished,
        reason_required=True,
        danger=True,
    ),
    "check_target": AdminVerb(
        "Check the target now",
        OPERATE_CAMPAIGN,
        calls(targets.check, "Instantly is asked about {} within seconds: its answer appears beside Target."),
        "Asks Instantly whether it sends, rather than within five minutes. Costs nothing.",
        legal=lambda row: not row.finished and bool(row.instantly_campaign_id),
    ),
    "retarget": AdminVerb(
        "Retarget",
        OPERATE_CAMPAIGN,
        retarget,
        "Its leads are pushed into another campaign at Instantly from now on; what has been pushed stays where it is.",
        legal=lambda row: not row.finished,
        asks_target=True,
    ),
    "duplicate": AdminVerb("Duplicate", ADD_CAMPAIGN, duplicate, "Its settings, not its leads."),
}
