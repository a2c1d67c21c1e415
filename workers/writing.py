"""The calls between a lead's address and its mail: is it deliverable, who is this, what to write."""

from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from campaigns import pipeline, prompts
from campaigns.jobs import Done
from campaigns.mailcheck import check_mail
from campaigns.models import Job, Verdict
from integrations import millionverifier, openai, perplexity
from integrations.results import Mail, Research
from integrations.results import Verdict as VerdictResult
from workers.calls import Ready, Rejected, address_of, lead_of

# Verdicts of addresses are remembered for this long: asked again, they would be paid again and drift to `unknown`.
REMEMBERED = timedelta(days=30)


def verify(job: Job) -> Ready | Done:
    email = address_of(lead_of(job))
    known = Verdict.objects.filter(email=email, checked_at__gt=Now() - REMEMBERED).first()
    if known:
        done = verdict_reached(known.result)
        done.without_call = True
        return done

    def remember(answer: VerdictResult) -> Done:
        done = verdict_reached(answer.result)
        done.effects = lambda: keep_verdict(email, answer)
        return done

    return Ready(lambda: millionverifier.verify(email), remember)


def verdict_reached(result: str) -> Done:
    step = pipeline.after_verify(result)
    return Done(lead={"verdict": result}, next_kind=step.next_kind, end=step.end, end_reason=step.reason)


def keep_verdict(email: str, answer: VerdictResult) -> None:
    # `unknown` is the recipient's server being shy, not a fact about the address; it was not charged either.
    if answer.result != "unknown":
        Verdict.objects.bulk_create(
            [Verdict(email=email, result=answer.result, subresult=answer.subresult[:40])],
            update_conflicts=True,
            unique_fields=["email"],
            update_fields=["result", "subresult", "checked_at"],
        )


def research(job: Job) -> Ready:
    instructions, prompt = prompts.research_request(job.campaign, lead_of(job))

    def done(answer: Research) -> Done:
        return Done(
            lead={"research": clean(answer.text), "sources": [clean(url) for url in answer.sources]},
            next_kind=pipeline.FOLLOWS["research"],
        )

    return Ready(
        lambda: perplexity.research(instructions=instructions, prompt=prompt),
        done,
        tokens=prompts.estimate_tokens(instructions + prompt) + settings.PERPLEXITY_MAX_OUTPUT_TOKENS,
    )


def write(job: Job) -> Ready:
    lead = lead_of(job)
    instructions, prompt = prompts.mail_request(job.campaign, lead)

    def done(mail: Mail) -> Done:
        problems = check_mail(mail.subject, mail.body, lead, prompts.template_of(job.campaign, "mail"))
        if problems:
            raise Rejected("; ".join(problems))
        return Done(
            lead={"mail_subject": clean(mail.subject), "mail_body": clean(mail.body)},
            next_kind=pipeline.FOLLOWS["write"],
        )

    return Ready(
        lambda: openai.write_mail(instructions=instructions, prompt=prompt),
        done,
        tokens=prompts.estimate_tokens(instructions + prompt) + settings.OPENAI_MAX_OUTPUT_TOKENS,
    )


def clean(text: str) -> str:
    """PostgreSQL stores no NUL, and no lone surrogate can be encoded."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
