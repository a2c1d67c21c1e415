"""Nobody writes to the addresses and whole domains on this list. Asked at import and again before the push."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import tldextract
from django.db import connection, transaction
from django.utils import timezone

from campaigns.contacts.under_way import wait_for_pushes
from campaigns.leads.addresses import addresses_in, domain_and_parents, domain_of, holds_locked, normalise_domain
from campaigns.models import Suppression
from circuitbreakers import events
from circuitbreakers.characters import UNSTORABLE
from circuitbreakers.events import Actor
from circuitbreakers.models import Event
from circuitbreakers.storable import fit

BATCH = 5000
# Where strangers register names of their own: ICANN's suffixes (co.uk) and private ones (github.io). From the list
# that comes with the library: nothing is fetched and nothing is written.
SUFFIXES = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


class ValueRefused(ValueError):
    """This cannot be suppressed. The text says why."""


@dataclass
class Suppressed:
    """This says what `suppress` did. `refused` holds what was not taken, as it was given; `reasons` says why, in this
    order."""

    added: int = 0
    already: int = 0
    refused: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def is_suppressed(email: str) -> bool:
    """Say whether the address, its domain or a parent domain is on the list. Takes it in any notation.

    Nobody is to be written to at a placeholder of Apollo's either.
    """
    # What is no address cannot be sent to; its domain is looked up all the same.
    addresses = addresses_in(email) or [email.strip().lower().encode("ascii", "ignore").decode()]
    return holds_locked(email) or bool(suppressed_among(addresses))


def suppressed_among(addresses: Iterable[str]) -> set[str]:
    """Find those of the normalised addresses that are suppressed. One query, whatever their number."""
    values = {address: [address, *domain_and_parents(domain_of(address))] for address in addresses}
    wanted = json.dumps(list({UNSTORABLE.sub("", value) for candidates in values.values() for value in candidates}))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT value FROM suppressions WHERE value IN (SELECT json_array_elements_text(%s::json))", [wanted]
        )
        listed = {row[0] for row in cursor.fetchall()}
    if not listed:
        return set()
    return {address for address, candidates in values.items() if not listed.isdisjoint(candidates)}


def listed_among(addresses: Iterable[str]) -> set[str]:
    """Find those of the normalised addresses that are on the list themselves, whatever it says about their domains."""
    return set(Suppression.objects.filter(value__in=set(addresses)).values_list("value", flat=True))


def parse_value(raw: str) -> str:
    """Read an address, or a domain written as `acme.example`, `@acme.example` or `*.acme.example`; returns it
    normalised.

    ValueRefused for anything else, and for a public suffix: `co.uk` would silence a country.
    """
    text = raw.strip()
    domain = text.removeprefix("*.").removeprefix("@")
    if addresses := addresses_in(text):
        if len(addresses) > 1:
            raise ValueRefused(f"These are {len(addresses)} addresses. Give each by itself.")
        return addresses[0]
    value = None if "@" in domain else normalise_domain(domain)
    if value is None and domain.isalpha() and SUFFIXES(domain).suffix == domain.lower():
        value = domain.lower()
    if value is None:
        raise ValueRefused("This is neither an address nor a domain such as acme.example.")
    if SUFFIXES(value).suffix == value:
        raise ValueRefused(
            f"{value} is a public suffix: everybody with an address below it would be silenced. Name one domain below"
            f" it, such as acme.{value}."
        )
    return value


def suppress(
    values: Iterable[str], reason: str, actor: Actor, *, cause: Suppression.Cause = Suppression.Cause.OPERATOR
) -> Suppressed:
    """Put addresses and domains on the list; harmless to repeat. Each new one leaves an event.

    In batches of 5,000, each its own transaction.
    """
    result = Suppressed()
    for batch in _batches(values):
        wanted: dict[str, None] = {}
        for raw in batch:
            try:
                value = parse_value(raw)
            except ValueRefused as error:
                result.refused.append(raw)
                result.reasons.append(str(error))
                continue
            if value in wanted:
                result.already += 1
            else:
                wanted[value] = None
        added = _insert(list(wanted), fit(reason, Suppression, "reason"), actor, cause)
        result.added += added
        result.already += len(wanted) - added
    return result


def _insert(values: list[str], reason: str, actor: Actor, cause: Suppression.Cause) -> int:
    """Insert the values that are new; how many these were. In sorted order, so that two callers with the same values
    cannot deadlock."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO suppressions (value, cause, reason, source, created_by, created_at)"
            " SELECT value, %s, %s, %s, %s, %s FROM unnest(%s::text[]) AS value"
            " ON CONFLICT (value) DO NOTHING RETURNING id, value",
            [cause, reason, actor.door, actor.name, timezone.now(), sorted(values)],
        )
        added = cursor.fetchall()
        Event.objects.bulk_create(
            [
                events.build(
                    "suppression",
                    pk,
                    "suppressed",
                    actor=actor,
                    reason=reason,
                    after={"value": value, "cause": str(cause)},
                )
                for pk, value in added
            ],
            batch_size=1000,
        )
        if added:  # right before the commit: no push to them leaves after it
            wait_for_pushes(value for _, value in added)
    return len(added)


def _batches(values: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(values)
    while batch := list(islice(rest, BATCH)):
        yield batch
