"""The calls between a lead's address and its mail: is it deliverable, who is this, what to write."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection

from campaigns import pipeline, prompts
from campaigns.jobs import Done
from campaigns.mailcheck import check_mail
from campaigns.models import JobRow, KnownVerdict
from integrations import millionverifier, openai, perplexity, reading
from integrations.results import Mail, Research, Verdict
from workers.steps.calls import NotYet, Ready, Rejected, address_of, credits_usd, lead_of, tokens_usd

# Verdicts of addresses are remembered for this long: asked again, they would be paid again and drift to `unknown`.
REMEMBERED = timedelta(days=30)
# How long a job waits for the verdict that another one is asking for (seconds).
ASKED_WAIT = 2
# More tokens than any prompt of ours has, and with them what a search feeds to the model.
MOST_PROMPT, MOST_SEARCHED = 20_000, 30_000

# One of all that need the same verdict asks for it: whoever gets a row back.
ASK = """
INSERT INTO verdicts (email, result, subresult, checked_at, asked_by, asked_until)
VALUES (%(email)s, '', '', statement_timestamp(), %(job)s, %(until)s)
ON CONFLICT (email) DO UPDATE SET result = '', asked_by = excluded.asked_by, asked_until = excluded.asked_until
WHERE (verdicts.result <> '' AND verdicts.checked_at < statement_timestamp() - %(remembered)s)
    OR (verdicts.result = '' AND (verdicts.asked_by = excluded.asked_by
        OR coalesce(verdicts.asked_until < statement_timestamp(), true)))
RETURNING email
"""


def verify(job: JobRow) -> Ready | Done | NotYet:
    email = address_of(lead_of(job))

    def remember(answer: Verdict) -> Done:
        done = verdict_reached(answer.result)
        done.effects = lambda: keep_verdict(email, answer)
        return done

    if may_ask(job, email):
        return Ready(lambda: millionverifier.verify(email), remember, answer=Verdict)
    known = KnownVerdict.objects.filter(email=email).exclude(result="").first()
    if known is None:
        return NotYet(ASKED_WAIT)
    done = verdict_reached(known.result)
    done.without_call = True
    return done


def may_ask(job: JobRow, email: str) -> bool:
    """Whether this job is the one to ask; no when the verdict is known, or another job is asking."""
    with connection.cursor() as cursor:
        values: dict[str, Any] = {"email": email, "job": job.pk, "until": job.lease_until, "remembered": REMEMBERED}
        cursor.execute(ASK, values)
        return cursor.fetchone() is not None


def most_of_verify(job: JobRow) -> Decimal:
    """A credit."""
    return credits_usd(job, 1)


def verdict_reached(result: str) -> Done:
    step = pipeline.after_verify(result)
    return Done(lead={"verdict": result}, next_kind=step.next_kind, end=step.end, end_reason=step.reason)


def keep_verdict(email: str, answer: Verdict) -> None:
    # `unknown` is the recipient's server being shy, not a fact about the address; it was not charged either.
    if answer.result == "unknown":
        KnownVerdict.objects.filter(email=email, result="").delete()
        return
    KnownVerdict.objects.bulk_create(
        [KnownVerdict(email=email, result=answer.result, subresult=answer.subresult[:40])],
        update_conflicts=True,
        unique_fields=["email"],
        update_fields=["result", "subresult", "checked_at", "asked_by", "asked_until"],
    )


def research(job: JobRow) -> Ready:
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


def most_of_research(job: JobRow) -> Decimal:
    """The longest prompt, all that a search may read, the longest answer."""
    tokens_in = MOST_PROMPT + MOST_SEARCHED
    return tokens_usd(job, settings.PERPLEXITY_MODEL, tokens_in, settings.PERPLEXITY_MAX_OUTPUT_TOKENS)


def write(job: JobRow) -> Ready:
    lead = lead_of(job)
    instructions, prompt = prompts.mail_request(job.campaign, lead)

    def done(mail: Mail) -> Done:
        problems = check_mail(mail.subject, mail.body, lead, prompts.template_of(job.campaign, "mail"))
        if problems:
            raise Rejected("; ".join(problems))
        return Done(
            lead={"mail_subject": reading.text(mail.subject), "mail_body": reading.text(mail.body)},
            next_kind=pipeline.FOLLOWS["write"],
        )

    return Ready(
        lambda: openai.write_mail(instructions=instructions, prompt=prompt),
        done,
        tokens=prompts.estimate_tokens(instructions + prompt) + settings.OPENAI_MAX_OUTPUT_TOKENS,
        answer=Mail,
    )


def most_of_write(job: JobRow) -> Decimal:
    """The longest prompt and the longest answer."""
    return tokens_usd(job, settings.OPENAI_MODEL, MOST_PROMPT, settings.OPENAI_MAX_OUTPUT_TOKENS)
