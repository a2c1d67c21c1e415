"""Perplexity researches a lead: text with its sources, which the mail is written from."""

import hashlib
import json
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.conf import settings

from campaigns import facts, pipeline, prompts
from campaigns.facts import Fact
from campaigns.jobs import Done
from campaigns.models import JobRow
from integrations import perplexity, reading
from integrations.results import Research
from workers.steps.calls import ASKED_WAIT, MOST_PROMPT, NotYet, Ready, address_of, lead_of, tokens_usd

# More tokens than a search feeds to the model.
MOST_SEARCHED = 30_000


def research(job: JobRow) -> Ready | Done | NotYet:
    """Build the call from the campaign's research prompt, or use what the same question was answered before; NotYet
    while another job asks it."""
    lead = lead_of(job)
    instructions, prompt = prompts.research_request(job.campaign, lead)
    about = "" if prompts.about_company(job.campaign) else address_of(lead)
    key = f"research:{asked_with(instructions, prompt)}"
    asked = facts.ask(job, key, about=about, remembered=timedelta(days=settings.RESEARCH_DAYS))
    if asked.known:
        assert asked.known.value is not None  # noqa: S101 (a known fact has a value)
        return Done(**moved_on(asked.known.value), without_call=True, avoided_usd=asked.known.cost_usd)
    if not asked.mine:
        return NotYet(ASKED_WAIT)

    def done(answer: Research) -> Done:
        value = {"research": reading.text(answer.text), "sources": [reading.text(url) for url in answer.sources]}
        return Done(**moved_on(value), fact=Fact(key, value, about))

    return Ready(
        partial(perplexity.research, instructions=instructions, prompt=prompt),
        done,
        tokens=prompts.estimate_tokens(instructions + prompt) + settings.PERPLEXITY_MAX_OUTPUT_TOKENS,
        answer=Research,
    )


def moved_on(found: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `Done` for a lead that has its research."""
    return {"lead": found, "next_kind": pipeline.FOLLOWS["research"]}


def asked_with(instructions: str, prompt: str) -> str:
    """Return a digest of all that an answer depends on: the same question to the same model has one answer."""
    question = [
        settings.PERPLEXITY_MODEL,
        settings.PERPLEXITY_PRESET,
        settings.PERPLEXITY_MAX_OUTPUT_TOKENS,
        instructions,
        prompt,
    ]
    return hashlib.sha256(json.dumps(question).encode()).hexdigest()


def most_usd(job: JobRow) -> Decimal:
    """A research uses the longest prompt, all that a search may read and the longest answer at most."""
    tokens_in = MOST_PROMPT + MOST_SEARCHED
    return tokens_usd(job, settings.PERPLEXITY_MODEL, tokens_in, settings.PERPLEXITY_MAX_OUTPUT_TOKENS)
