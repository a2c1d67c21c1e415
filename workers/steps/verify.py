"""MillionVerifier says whether a lead's address takes mail; what it says is remembered for all campaigns."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from campaigns import pipeline
from campaigns.jobs import Done
from campaigns.models import JobRow, KnownVerdict
from circuitbreakers.storable import fit
from integrations import millionverifier
from integrations.results import Verdict
from workers.steps.calls import NotYet, Ready, address_of, credits_usd, lead_of

# Verdicts of addresses are remembered for this long: asked again, they would be paid again and drift to `unknown`.
REMEMBERED = timedelta(days=30)
# How long a job waits for the verdict that another one is asking for (seconds).
ASKED_WAIT = 2

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
    """Build the call, or end without one when the verdict is remembered; NotYet while another job asks for it."""
    email = address_of(lead_of(job))

    def remember(answer: Verdict) -> Done:
        done = verdict_reached(answer.result)
        done.effects = lambda: keep_verdict(email, answer)
        return done

    if may_ask(job, email):
        return Ready(lambda: millionverifier.verify(email), remember, answer=Verdict)
    remembered = KnownVerdict.objects.filter(email=email).exclude(result="").first()
    if remembered is None:
        return NotYet(ASKED_WAIT)
    done = verdict_reached(remembered.result)
    done.without_call = True
    return done


def may_ask(job: JobRow, email: str) -> bool:
    """Say whether this job is the one to ask; no when the verdict is known, or another job is asking."""
    with connection.cursor() as cursor:
        values: dict[str, Any] = {"email": email, "job": job.pk, "until": job.lease_until, "remembered": REMEMBERED}
        cursor.execute(ASK, values)
        return cursor.fetchone() is not None


def most_usd(job: JobRow) -> Decimal:
    """A verification takes one credit at most."""
    return credits_usd(job, 1)


def verdict_reached(result: str) -> Done:
    """Write the verdict into the lead, which goes on or ends by it."""
    step = pipeline.after_verify(result)
    return Done(lead={"verdict": result}, next_kind=step.next_kind, end=step.end, end_reason=step.reason)


def keep_verdict(email: str, answer: Verdict) -> None:
    """Remember the verdict of an address for all campaigns, in place of the mark of the job that asked."""
    # `unknown` is the recipient's server being shy, not a fact about the address; it was not charged either.
    if answer.result == "unknown":
        KnownVerdict.objects.filter(email=email, result="").delete()
        return
    KnownVerdict.objects.bulk_create(
        [KnownVerdict(email=email, result=answer.result, subresult=fit(answer.subresult, KnownVerdict, "subresult"))],
        update_conflicts=True,
        unique_fields=["email"],
        update_fields=["result", "subresult", "checked_at", "asked_by", "asked_until"],
    )
