"""This tag draws the sentence on top of every page of the admin."""

from typing import Any

from django import template

from console import shared_snapshot

register = template.Library()


@register.inclusion_tag("console/live/banner.html", takes_context=True)
def console_banner(context: dict[str, Any]) -> dict[str, Any]:
    """Take the page's own snapshot where it has one, so that both show the same instant."""
    return {"snapshot": context.get("snapshot") or shared_snapshot.current(), "live_page": context.get("live_page", "")}
