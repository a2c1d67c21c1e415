"""OpenAI writes a lead's mail, which is checked before anybody gets to see it."""

from decimal import Decimal

from django.conf import settings

from campaigns import pipeline, prompts, review
from campaigns.jobs import Done
from campaigns.mailcheck import check_mail
from campaigns.models import JobRow
from integrations import openai, reading
from integrations.results import Mail
from workers.steps.calls import MOST_PROMPT, Ready, Rejected, lead_of, tokens_usd


def write(job: JobRow) -> Ready:
    """Build the call from the campaign's mail prompt; a mail that must not go out is Rejected."""
    lead = lead_of(job)
    instructions, prompt = prompts.mail_request(job.campaign, lead)

    def done(mail: Mail) -> Done:
        problems = check_mail(mail.subject, mail.body, lead, prompts.template_of(job.campaign, "mail"))
        if problems:
            raise Rejected("; ".join(problems))
        written = {"mail_subject": reading.text(mail.subject), "mail_body": reading.text(mail.body)}
        if review.wanted(job.campaign, lead, **written):
            return Done(lead={**written, "stage": pipeline.REVIEW})
        return Done(lead=written, next_kind=pipeline.FOLLOWS["write"])

    return Ready(
        lambda: openai.write_mail(instructions=instructions, prompt=prompt),
        done,
        tokens=prompts.estimate_tokens(instructions + prompt) + settings.OPENAI_MAX_OUTPUT_TOKENS,
        answer=Mail,
    )


def most_usd(job: JobRow) -> Decimal:
    """A mail uses the longest prompt and the longest answer at most."""
    return tokens_usd(job, settings.OPENAI_MODEL, MOST_PROMPT, settings.OPENAI_MAX_OUTPUT_TOKENS)
