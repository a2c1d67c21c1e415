"""MillionVerifier says whether a lead's address takes mail; what it says is remembered for all campaigns."""

from datetime import timedelta
from decimal import Decimal
from functools import partial

from django.conf import settings

from campaigns import facts, past_due, pipeline
from campaigns.facts import Fact
from campaigns.jobs import Done
from campaigns.models import JobRow
from integrations import millionverifier
from integrations.results import Verdict
from workers.steps.calls import ASKED_WAIT, NotYet, Ready, address_of, credits_usd, lead_of

# Verdicts of addresses are remembered for this long: asked again, they would be paid again and drift to `unknown`.
REMEMBERED = timedelta(days=30)


def verify(job: JobRow) -> Ready | Done | NotYet:
    """Build the call, or end without one when the verdict is known; NotYet while another job asks for it."""
    email = address_of(lead_of(job))
    remembered = min(REMEMBERED, timedelta(days=settings.VERDICT_DAYS or REMEMBERED.days))
    asked = facts.ask(job, f"verdict:{email}", about=email, remembered=remembered)
    if asked.mine:
        return Ready(partial(millionverifier.verify, email), partial(after_verify, job), answer=Verdict)
    if asked.known is None:
        return NotYet(ASKED_WAIT)
    assert asked.known.value is not None  # noqa: S101 (a known fact has a value)
    done = verdict_reached(job, asked.known.value["result"])
    done.without_call, done.avoided_usd = True, asked.known.cost_usd
    return done


def after_verify(job: JobRow, answer: Verdict) -> Done:
    """Write the verdict into the lead, and keep it for all campaigns."""
    # `unknown` is the recipient's server being shy, not a fact about the address; it was not charged either.
    value = None if answer.result == "unknown" else {"result": answer.result, "subresult": answer.subresult}
    done, email = verdict_reached(job, answer.result), address_of(lead_of(job))
    done.fact = Fact(f"verdict:{email}", value, about=email)
    return done


def most_usd(job: JobRow) -> Decimal:
    """A verification takes one credit at most."""
    return credits_usd(job, 1)


def verdict_reached(job: JobRow, result: str) -> Done:
    """Write the verdict into the lead, which goes on or ends by it; one that was verified again goes on to its push."""
    step = pipeline.after_verify(result, written=past_due.TIMES in job.payload)
    pushes = partial(past_due.push_now, lead_of(job).pk) if step.next_kind == "push" else None
    changes = {"verdict": result}
    return Done(lead=changes, next_kind=step.next_kind, end=step.end, end_reason=step.reason, effects=pushes)
