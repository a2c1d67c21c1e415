"""Whom nobody writes to: addresses and whole domains. Asked at import and again before the push."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from django.db import connection, transaction
from django.utils import timezone

from campaigns.addresses import domain_and_parents, domain_of, normalise, normalise_domain
from campaigns.models import Suppression
from circuitbreakers import events
from circuitbreakers.events import Actor
from circuitbreakers.models import Event

BATCH = 5000
REASON_LENGTH = Suppression._meta.get_field("reason").max_length or 0


@dataclass
class Suppressed:
    """What `suppress` did. `refused` holds what is neither an address nor a domain, as it was given."""

    added: int = 0
    already: int = 0
    refused: list[str] = field(default_factory=list)


def is_suppressed(email: str) -> bool:
    """Whether the address, its domain or a parent domain is on the list. Takes it in any notation."""
    # What is no address cannot be sent to; its domain is looked up all the same.
    address = normalise(email) or email.strip().lower().encode("ascii", "ignore").decode()
    return bool(suppressed_among([address]))


def suppressed_among(addresses: Iterable[str]) -> set[str]:
    """Those of the normalised addresses that are suppressed. One query, whatever their number."""
    values = {address: [address, *domain_and_parents(domain_of(address))] for address in addresses}
    wanted = json.dumps(list({value.replace("\x00", "") for candidates in values.values() for value in candidates}))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT value FROM suppressions WHERE value IN (SELECT json_array_elements_text(%s::json))", [wanted]
        )
        listed = {row[0] for row in cursor.fetchall()}
    if not listed:
        return set()
    return {address for address, candidates in values.items() if not listed.isdisjoint(candidates)}


def normalise_value(raw: str) -> str | None:
    """An address, or a domain written as `acme.example`, `@acme.example` or `*.acme.example`; None for anything else.

    A bare top-level domain is refused: `com` would silence nearly everybody.
    """
    text = raw.strip()
    bare = text.removeprefix("*.").removeprefix("@")
    return normalise(text) if "@" in bare else normalise_domain(bare)


def suppress(values: Iterable[str], reason: str, actor: Actor) -> Suppressed:
    """Put addresses and domains on the list; harmless to repeat. Each new one leaves an event.

    In batches of 5,000, each its own transaction.
    """
    result = Suppressed()
    for batch in _batches(values):
        wanted: dict[str, None] = {}
        for raw in batch:
            if (value := normalise_value(raw)) is None:
                result.refused.append(raw)
            elif value in wanted:
                result.already += 1
            else:
                wanted[value] = None
        added = _insert(list(wanted), reason[:REASON_LENGTH], actor)
        result.added += added
        result.already += len(wanted) - added
    return result


def _insert(values: list[str], reason: str, actor: Actor) -> int:
    """How many were new. In sorted order, so that two callers with the same values cannot deadlock."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO suppressions (value, reason, created_by, created_at)"
            " SELECT value, %s, %s, %s FROM unnest(%s::text[]) AS value"
            " ON CONFLICT (value) DO NOTHING RETURNING id, value",
            [reason, actor.name, timezone.now(), sorted(values)],
        )
        added = cursor.fetchall()
        Event.objects.bulk_create(
            [
                events.build("suppression", pk, "suppressed", actor=actor, reason=reason, after={"value": value})
                for pk, value in added
            ],
            batch_size=1000,
        )
    return len(added)


def _batches(values: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(values)
    while batch := list(islice(rest, BATCH)):
        yield batch
