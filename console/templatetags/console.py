"""The console writes states, services, times and sixty minutes of calls with these, in one way each."""

import re
from collections.abc import Sequence
from datetime import datetime

from django import template
from django.conf import settings
from django.utils.html import format_html, format_html_join, linebreaks
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from campaigns.claims import without_source
from campaigns.models import Lead
from campaigns.prompts import template_of
from circuitbreakers import confirmations, notes
from circuitbreakers.models import Incident
from circuitbreakers.storable import REASON_LENGTH
from console import labels
from console.statistics import Minute

register = template.Library()

WEB = re.compile(r"https?://[^\s\"'<>]+\Z", re.IGNORECASE)
SIGNS = {"good": "●", "bad": "■", "warn": "▲", "busy": "◐", "idle": "○", "done": "✓", "off": "✕"}


@register.simple_tag
def state(name: str) -> SafeString:
    """Write a state as its one word, with its colour and a sign."""
    word, tone = labels.STATES.get(name, (str(name).replace("_", " ").capitalize(), "idle"))
    return chip(tone, word)


@register.simple_tag
def chip(tone: str, text: str) -> SafeString:
    """Write a word in the colour of its tone, with that tone's sign: never colour alone."""
    return format_html(
        '<span class="hf-state hf-{}"><span aria-hidden="true">{}</span> {}</span>', tone, SIGNS[tone], text
    )


@register.filter
def at_it(incident: Incident) -> str:
    """Say in a sentence who is at an incident."""
    who = notes.at_it(incident)
    return f"{who} is at it." if who else "Nobody is at it yet."


@register.simple_tag
def longest_reason() -> int:
    """Return how many characters the form of a reason takes."""
    return REASON_LENGTH


@register.filter
def service(name: str) -> str:
    return labels.service_name(name)


@register.simple_tag
def when(at: datetime | None, now: datetime | None = None, empty: str = "—") -> SafeString | str:
    """Write a relative time with the exact one on hover; the script keeps it true."""
    if at is None:
        return empty
    exact = at.isoformat()
    words_ = f"{timesince(at, now).split(',')[0]} ago".replace("\xa0", " ")
    return format_html(
        '<time datetime="{}" title="{}" data-relative>{}</time>', exact, f"{at:%Y-%m-%d %H:%M:%S} UTC", words_
    )


@register.simple_tag
def clock(at: datetime, now: datetime) -> SafeString:
    """Write an instant as `03:12:07 UTC`, with its date when that is another day."""
    day = "" if at.date() == now.date() else "%Y-%m-%d "
    return format_html('<time datetime="{}">{} UTC</time>', at.isoformat(), at.strftime(f"{day}%H:%M:%S"))


@register.simple_tag
def hour(minutes: Sequence[Minute], name: str) -> SafeString:
    """Draw sixty bars, failed calls in front, with the numbers in words for whoever does not see them."""
    calls, failed = sum(one.calls for one in minutes), sum(one.failed for one in minutes)
    text = f"{name}: {calls:,} calls in the last hour, {failed:,} failed"
    bars = format_html_join(
        "",
        '<g><title>{}</title><rect class="hf-calls" x="{}" y="{}" width="0.8" height="{}"/>'
        '<rect class="hf-failed" x="{}" y="{}" width="0.8" height="{}"/></g>',
        (
            (
                f"{len(minutes) - 1 - x} min ago: {one.calls} calls, {one.failed} failed",
                x,
                f"{40 - 0.4 * one.height:.1f}",
                f"{0.4 * one.height:.1f}",
                x,
                f"{40 - 0.4 * one.failed_height:.1f}",
                f"{0.4 * one.failed_height:.1f}",
            )
            for x, one in enumerate(minutes)
            if one.calls
        ),
    )
    return format_html(
        '<svg class="hf-hour" viewBox="0 0 60 40" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        text,
        bars,
    )


@register.simple_tag
def pieces(filled: Sequence[tuple[str, str]]) -> SafeString:
    """Write a prompt as it reads for a lead: what the lead has is marked, and what it has not."""
    missing = {"research": "research: not known before it is done"}
    return format_html_join(
        "",
        '<{0} class="hf-{1}">{2}</{0}>',
        (
            (
                "span" if kind == "text" else "mark",
                kind,
                missing.get(text, f"{text}: not known") if kind == "missing" else text,
            )
            for kind, text in filled
        ),
    )


@register.simple_tag
def mail_body(lead: Lead) -> SafeString:
    """Write a lead's mail with its paragraphs; a claim without a source in record, research or prompt is marked."""
    found = without_source(lead, template_of(lead.campaign, "mail"))
    wanted = "|".join(rf"(?<!\w){re.escape(claim)}(?!\w)" for claim in sorted(found, key=len, reverse=True))
    parts = re.split(f"({wanted})", lead.mail_body) if wanted else [lead.mail_body]
    shown = (
        format_html('<mark class="hf-missing">{}</mark>', part) if place % 2 else part
        for place, part in enumerate(parts)
    )
    return SafeString(linebreaks(format_html_join("", "{}", ((part,) for part in shown))))


@register.simple_tag
def source(url: object) -> SafeString | str:
    """Write the address of a source as a link that tells the other side nothing; plain text if it is no web address."""
    text = str(url)
    if not WEB.match(text):
        return text
    return format_html(
        '<a href="{}" rel="noopener noreferrer nofollow" target="_blank" referrerpolicy="no-referrer">{}</a>',
        text,
        text,
    )


@register.filter
def usd(amount: float | None) -> str:
    """Write an amount as `$12.30`; small ones keep what makes them more than nothing; None is unknown."""
    if amount is None:
        return "unknown"
    value = float(amount)
    return f"${value:,.2f}" if value >= 0.1 or value == 0 else f"${value:.4f}"


@register.filter
def many(number: int, words_: str) -> str:
    """Write a number with its noun, as `{{ n|many:"campaign" }}`: 1 campaign, 2,000 campaigns."""
    return labels.plural(number, words_)


@register.filter
def spaced(name: str) -> str:
    """Write `leads_imported` as one would by hand: leads imported."""
    return name.replace("_", " ")


@register.filter
def facts(values: object) -> str:
    """Write what an event says of before and after: `status: PAUSED, jobs: 12`."""
    if isinstance(values, dict):
        return ", ".join(f"{str(name).replace('_', ' ')}: {facts(value)}" for name, value in values.items())
    if isinstance(values, list):
        return ", ".join(facts(value) for value in values)
    return "" if values is None else f"{values:,}" if type(values) is int else str(values)


@register.filter
def failure(name: str) -> str:
    return labels.FAILURES.get(name, name)


@register.simple_tag
def confirmations_waiting() -> int:
    """Count what waits for a second person; 0, unasked, where the two-person rule is off."""
    if settings.TWO_PERSONS_ABOVE_USD is None and not settings.TWO_PERSONS_FOR:
        return 0
    return confirmations.waiting().count()
