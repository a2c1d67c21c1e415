"""The steps of the guided way say here when they fit, and what each shows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from campaigns import estimate, first_leads, prompts, spend
from campaigns.leads import waiting_file
from campaigns.models import Campaign, JobRow, Lead, LeadFile
from campaigns.moves import warnings_of
from campaigns.pipeline import FIRST_OF_LEAD
from campaigns.prompt_templates import MAIL_PROMPT, PLACEHOLDERS, RESEARCH_PROMPT
from campaigns.tallies import LeadTally, summed

STANDARD = {"research_prompt": RESEARCH_PROMPT, "mail_prompt": MAIL_PROMPT}
TITLES = {
    "name": "Name",
    "people": "Who they are",
    "file": "The file",
    "prompts": "What is written",
    "sample": "Read a few mails",
    "start": "Cost and start",
}
# Mails that a page shows.
SHOWN = 12
# Leads that the preview offers.
OFFERED = 20


@dataclass(frozen=True)
class GuidedStep:
    """A step of the way, for the line on top: `done` lies behind, `open` can be gone to."""

    key: str
    title: str
    current: bool
    done: bool
    open: bool


def has_people(campaign: Campaign) -> bool:
    """Say whether a start would find somebody to work on."""
    return campaign.search is not None or campaign.leads.filter(state=Lead.State.OPEN).exists()


def fitting(campaign: Campaign, step: str) -> str:
    """Return the step that fits the campaign now: the one asked for, if it does; '' once it runs with all leads."""
    if campaign.finished:
        return ""
    if campaign.status != Campaign.Status.CREATED:
        if campaign.first_leads is None:
            return ""
        return step if step in ("prompts", "sample", "start") else "sample"
    waiting = LeadFile.objects.filter(campaign=campaign).exists()
    if step == "file":
        return "file" if waiting else "people"
    if step == "people" or has_people(campaign):
        return step
    return "file" if waiting else "people"


def steps(campaign: Campaign | None, current: str) -> list[GuidedStep]:
    """Return the line of steps; without a campaign only the first can be gone to."""
    keys = list(TITLES)
    if campaign is not None and current != "file" and not LeadFile.objects.filter(campaign=campaign).exists():
        keys.remove("file")
    place = keys.index(current)
    return [
        GuidedStep(
            key,
            TITLES[key],
            key == current,
            number < place,
            campaign is not None and key not in ("name", current) and fitting(campaign, key) == key,
        )
        for number, key in enumerate(keys)
    ]


def with_lead(step: str, lead: str) -> str:
    """Return a step whose preview is that of a lead."""
    return f"{step}?{urlencode({'lead': lead})}" if lead else step


def of_people(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    states = summed(LeadTally.objects.filter(campaign_id=campaign.pk), "state")
    given = request.POST  # what was refused stands in the form again, to be mended
    return {
        "opened": states.get(Lead.State.OPEN, 0),
        "most_bytes": "10 MB",
        "search_url": given.get("search_url", campaign.search_url),
        "max_leads": given.get("max_leads", str(campaign.max_leads)),
    }


def of_file(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    waiting = LeadFile.objects.get(campaign=campaign)
    preview = waiting_file.preview_of(waiting)
    columns = [
        {
            "place": place,
            "name": name,
            "field": waiting.mapping.get(name, ""),
            "guessed": name in preview.guessed_columns,
            "cells": [row[place] if place < len(row) else "" for row in preview.rows],
        }
        for place, name in enumerate(preview.header)
    ]
    known = [column for column in columns if column["field"] or column["guessed"]]
    return {
        "waiting": waiting,
        "preview": preview,
        "foretold": waiting.foretold,
        "known": known,
        "ignored": (ignored := [column for column in columns if column not in known]),
        "ignored_names": ", ".join(str(column["name"]) for column in ignored),
    }


def of_prompts(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    lead, asked = lead_of(request, campaign), request.GET.get("lead", "").strip()
    values = {name: getattr(campaign, name) or standard for name, standard in STANDARD.items()}
    if request.method == "POST":  # what was refused stands in the form again, to be mended
        values = {name: request.POST.get(name, text) for name, text in values.items()}
    found = lead or Lead(campaign=campaign, **prompts.SOMEBODY)
    record = prompts.record(found)
    context: dict[str, Any] = {
        "asked": asked,
        "lead": found,
        "not_found": bool(asked) and (lead is None or not lead_fits(lead, campaign, asked)),
        "made_up": lead is None,
        "offered": campaign.leads.order_by("pk")[:OFFERED],
        "both": [
            {
                "name": name,
                "label": label,
                "value": values[name],
                "own": bool(getattr(campaign, name)),
                "placeholders": [(one, record.get(one, "")) for one in PLACEHOLDERS[kind]],
                "filled": prompts.filled(prompts.template_of(campaign, kind), found),
                "sent": request_for(campaign, found),
            }
            for name, label, kind, request_for in (
                ("research_prompt", "Research", "research", prompts.research_request),
                ("mail_prompt", "Mail", "mail", prompts.mail_request),
            )
        ],
    }
    return context


def lead_of(request: HttpRequest, campaign: Campaign) -> Lead | None:
    """Return the lead of the campaign that is asked for by number, name or address; else its first one, if any."""
    asked = request.GET.get("lead", "").strip()
    leads = Lead.objects.filter(campaign=campaign).order_by("pk")
    found = None
    if asked.isdecimal():
        found = leads.filter(pk=int(asked[:18])).first()
    elif asked:
        some = Lead.objects.filter(campaign=campaign).found_by(asked).order_by().values("pk")[:100]
        found = Lead.objects.filter(pk__in=some).order_by("pk").first()
    return found or leads.first()


def lead_fits(lead: Lead, campaign: Campaign, asked: str) -> bool:
    """Say whether a lead is what was asked for."""
    if asked.isdecimal():
        return str(lead.pk) == asked
    return Lead.objects.filter(campaign=campaign).found_by(asked).filter(pk=lead.pk).exists()


def of_sample(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    return {**sample_of(campaign), "live_page": f"sample-{campaign.pk}"}


def sample_of(campaign: Campaign) -> dict[str, Any]:
    """Return what is shown of the first leads: their mails, what they have cost, and what would be spent now."""
    holds = campaign.first_leads is not None
    # By their jobs, which are few while it holds, however many leads wait.
    jobs = JobRow.objects.filter(campaign=campaign, kind=FIRST_OF_LEAD).order_by("-pk").values("lead_id")[:SHOWN]
    taken = Lead.objects.filter(pk__in=jobs).select_related("campaign").order_by("-pk")
    spent = spend.by_service(campaign=campaign.pk)
    first = min(3, estimate.to_do(campaign))
    return {
        "campaign": campaign,
        "holds": holds,
        "hold": first_leads.hold_of(campaign),
        "taken": taken if holds else [],
        "written": len(first_leads.written(campaign)),
        "spent_usd": sum((sums.cost_usd for sums in spent.values()), 0),
        "first": first,
        "estimate": estimate.of_campaign(campaign, first=first).sentence if not holds and first else "",
    }


def of_start(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    states = summed(LeadTally.objects.filter(campaign_id=campaign.pk), "state")
    return {
        "estimate": estimate.of_campaign(campaign),
        "leads": states,
        "warnings": warnings_of(campaign),
        "holds": campaign.first_leads is not None,
        **{name: value for name, value in sample_of(campaign).items() if name in ("written", "spent_usd")},
    }


CONTEXTS: dict[str, Callable[[HttpRequest, Campaign], dict[str, Any]]] = {
    "people": of_people,
    "file": of_file,
    "prompts": of_prompts,
    "sample": of_sample,
    "start": of_start,
}
