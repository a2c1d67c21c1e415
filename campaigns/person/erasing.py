"""A person is erased here, to a tombstone that keeps money and counts and lets nobody write to them again.

What is gone: addresses, names, company, research, mail, payloads, evidence, wherever a row of ours holds them. What is
left: leads and jobs by number, the ledger, and keyed hashes on the suppression list.
"""

import time
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Concat, Now

from campaigns.leads.suppression import suppress
from campaigns.models import Contact, Erasure, JobRow, Lead, LeadFile, OutcomeEvent, Suppression
from campaigns.person.known import Person
from circuitbreakers import events
from circuitbreakers.storable import fit

ERASED = "[erased]"
# A reserved name (RFC 2606): no mail ever gets there.
NOWHERE = "erased.invalid"
# How long a call that is under way is waited for (seconds): longer than any vendor's deadline.
LONGEST_CALL = 130.0
PAUSE = 0.5
# Of the columns of characters these hold no text of anybody's.
NO_TEXT = frozenset({"actor", "subject_id", "subject_type", "verb", "worker", "digests", "service", "kind", "reset_by"})

BLANK: dict[str, Any] = {
    **dict.fromkeys(["apollo_id", "first_name", "last_name", "title", "company", "company_domain"], ""),
    **dict.fromkeys(["research", "mail_subject", "mail_body"], ""),
    "mail_as_written": None,
    "data": {},
    "sources": [],
}
ELSEWHERE = [
    "The vendors hold what was sent to them: ask each under its own terms.",
    "Backups of the database hold it until they are rotated; after a restore, erase again.",
    "Files that were imported or exported are where people put them.",
]


class StillWorkedOn(Exception):
    """A call about this person is under way. Nobody writes to them any more, but nothing has been erased yet."""


def erase(person: Person, *, actor: events.Actor, reason: str, wait: float = LONGEST_CALL) -> Erasure:
    """Erase a person; returns the receipt. Repeating it makes another receipt and changes nothing else.

    First nobody may write to them any more; then calls under way are waited for, up to `wait` seconds: their answers
    would bring back what went. Raises StillWorkedOn.
    """
    suppress(sorted(person.addresses), "Erased on request", actor, cause=Suppression.Cause.ERASED)
    await_calls(person, wait)
    with transaction.atomic():
        receipt = Erasure.objects.create(
            erased_by=actor.name, reason=fit(reason, Erasure, "reason"), digests=person.tombstones
        )
        receipt.not_reached = [*at_instantly(person), *ELSEWHERE]
        receipt.erased = _erase(person, receipt)
        receipt.not_reached += mentioned(person)
        receipt.save(update_fields=["erased", "not_reached"])
        events.record("erasure", receipt.pk, "erased", actor=actor, reason=reason, after=receipt.erased)
    return receipt


def await_calls(person: Person, wait: float) -> None:
    """Wait until no worker holds a job of this person. Raises StillWorkedOn."""
    until = time.monotonic() + wait
    held = JobRow.objects.filter(lead__in=person.leads(), status=JobRow.Status.PROCESSING)
    while held.exists():
        if time.monotonic() >= until:
            raise StillWorkedOn(
                "A call about this person is under way. They are on the suppression list already; erase again in two"
                " minutes."
            )
        time.sleep(PAUSE)


def _erase(person: Person, receipt: Erasure) -> dict[str, int]:
    """Take the person out of all rows; how many rows of each table."""
    leads = list(person.leads().select_for_update().values_list("pk", flat=True))
    jobs = JobRow.objects.filter(lead__in=leads)
    nobody = Concat(Value(f"erased-{receipt.pk}-"), F("pk"), Value(f"@{NOWHERE}"), output_field=models.CharField())
    email = Case(When(email=None, then=Value(None)), default=nobody)
    erased = {
        "leads": Lead.objects.filter(pk__in=leads).update(**BLANK, email=email),
        "jobs": jobs.update(payload={}, error=None),
        "contacts": Contact.objects.filter(key__in=person.keys).delete()[0],
        "known_facts": person.rows()["known_facts"].delete()[0],
        "outcomes": OutcomeEvent.objects.filter(email__in=person.addresses).update(email="", payload={}),
    }
    Suppression.objects.filter(value__in=person.addresses).delete()
    Suppression.objects.bulk_create(
        [
            Suppression(value=value, cause=Suppression.Cause.ERASED, reason=f"Receipt {receipt.pk}", blocked_at=Now())
            for value in person.tombstones
        ],
        ignore_conflicts=True,
    )
    for word in [*person.addresses, *person.apollo_ids]:
        # The rest of its row would still say who it was; whoever waits for its import hands it in again.
        LeadFile.objects.filter(text__icontains=word).delete()
    erased["further mentions"] = _sweep([*person.addresses, *person.apollo_ids])
    return erased


def _sweep(words: list[str]) -> int:
    """Replace these words in every other text of ours, events included; how many rows. Reads every table once."""
    wanted = "|".join(map(_quoted, words))
    # Neither the end of a longer address nor the beginning of one: frida@acme.example is somebody else.
    pattern = f"(?<![[:alnum:]._+-])({wanted})(?![[:alnum:]-]|\\.[[:alnum:]])"
    changed = 0
    with connection.cursor() as cursor:
        # The one change that the append-only table lets pass: see its trigger.
        cursor.execute("SELECT set_config('holdfast.erasing', 'on', true)")
        for table, texts in free_texts().items():
            changes = ", ".join(
                f'"{name}" = regexp_replace("{name}"::text, %(pattern)s, %(erased)s, \'gi\')::{kind}'
                for name, kind in texts.items()
            )
            cursor.execute(
                f'UPDATE "{table}" SET {changes} WHERE lower({_joined(texts)}) LIKE ANY (%(likes)s)'  # noqa: S608
                f" AND {_joined(texts)} ~* %(pattern)s",
                {"pattern": pattern, "erased": ERASED, "likes": [f"%{_like(word.lower())}%" for word in words]},
            )
            changed += cursor.rowcount
        cursor.execute("SELECT set_config('holdfast.erasing', '', true)")
    return changed


def _joined(texts: dict[str, str]) -> str:
    return "concat_ws(' ', {})".format(", ".join(f'"{name}"::text' for name in texts))


def _quoted(word: str) -> str:
    """Quote a word for PostgreSQL's regular expressions."""
    return "".join(char if char.isalnum() else f"\\{char}" for char in word)


def _like(word: str) -> str:
    """Quote a word for LIKE."""
    return "".join(f"\\{char}" if char in "%_\\" else char for char in word)


def free_texts() -> dict[str, dict[str, str]]:
    """List the columns of ours that hold free text: table -> column -> type. Keys and names of operators are none."""
    ours = [*apps.get_app_config("campaigns").get_models(), *apps.get_app_config("circuitbreakers").get_models()]
    tables: dict[str, dict[str, str]] = {}
    for model in [*(one for one in ours if one._meta.managed), apps.get_model("admin", "LogEntry")]:
        for column in model._meta.concrete_fields:
            if _is_free_text(column):
                tables.setdefault(model._meta.db_table, {})[str(column.column)] = str(column.db_type(connection))
    return tables


def _is_free_text(column: Any) -> bool:
    if not isinstance(column, models.CharField | models.TextField | models.JSONField):
        return False
    if column.primary_key or column.unique or column.choices or column.generated:
        return False
    return not column.name.endswith("_by") and column.name not in NO_TEXT


def at_instantly(person: Person) -> list[str]:
    """Say which leads stand at Instantly, by its own ids: deleting them there is up to a person."""
    pushed = person.leads().exclude(instantly_lead_id="").values_list("instantly_lead_id", flat=True)
    return [f"Instantly holds lead {pk}: delete it there." for pk in pushed]


def mentioned(person: Person) -> list[str]:
    """Say how many texts of others still hold the person's full name: it may be a namesake's, which only people can
    tell."""
    names = [f"%{_like(name.lower())}%" for name in sorted(person.names)]
    found: list[str] = []
    with connection.cursor() as cursor:
        for table, texts in free_texts().items():
            cursor.execute(
                f'SELECT count(*) FROM "{table}" WHERE lower({_joined(texts)}) LIKE ANY (%s)',  # noqa: S608
                [names],
            )
            if number := cursor.fetchone()[0]:
                found.append(f"{number} rows of {table} name somebody so called: look whether it is they.")
    return found
