"""Perplexity researches a lead: text with its sources, which the mail is written from."""

from decimal import Decimal

from django.conf import settings

from campaigns import pipeline, prompts
from campaigns.jobs import Done
from campaigns.models import JobRow
from integrations import perplexity, reading
from integrations.results import Research
from workers.steps.calls import MOST_PROMPT, Ready, lead_of, tokens_usd

# More tokens than a search feeds to the model.
MOST_SEARCHED = 30_000


def research(job: JobRow) -> Ready:
    """Build the call from the campaign's research prompt; its text and sources become the lead's."""
    instructions, prompt = prompts.research_request(job.campaign, lead_of(job))

    def done(answer: Research) -> Done:
        return Done(
            lead={"research": reading.text(answer.text), "sources": [reading.text(url) for url in answer.sources]},
            next_kind=pipeline.FOLLOWS["research"],
        )

    return Ready(
        lambda: perplexity.research(instructions=instructions, prompt=prompt),
        done,
        tokens=prompts.estimate_tokens(instructions + prompt) + settings.PERPLEXITY_MAX_OUTPUT_TOKENS,
        answer=Research,
    )


def most_usd(job: JobRow) -> Decimal:
    """A research uses the longest prompt, all that a search may read and the longest answer at most."""
    tokens_in = MOST_PROMPT + MOST_SEARCHED
    return tokens_usd(job, settings.PERPLEXITY_MODEL, tokens_in, settings.PERPLEXITY_MAX_OUTPUT_TOKENS)
