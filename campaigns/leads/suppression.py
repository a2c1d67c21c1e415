"""Nobody writes to the addresses and whole domains on this list. Asked at import, after a reveal and by each claim."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import tldextract
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from campaigns.contacts.under_way import wait_for_pushes
from campaigns.endings import end_leads_of
from campaigns.leads.addresses import addresses_in, domain_and_parents, domain_of, holds_locked, normalise_domain
from campaigns.leads.tombstones import START, tombstone
from campaigns.models import Suppression
from campaigns.outcomes import CAUSES
from campaigns.wake import wake_supervisor
from circuitbreakers import events
from circuitbreakers.characters import UNSTORABLE
from circuitbreakers.events import Actor
from circuitbreakers.models import Event
from circuitbreakers.storable import fit

BATCH = 5000
# So many new values in a batch are told to the planner: the workers' claims are prepared, and one that was planned when
# the list was empty would read all of it until autovacuum comes by.
MANY = 1000
WHY = "suppressed"  # of a lead that has ended
# Where strangers register names of their own: ICANN's suffixes (co.uk) and private ones (github.io). From the list
# that comes with the library: nothing is fetched and nothing is written.
SUFFIXES = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)

# The stronger cause stays, whichever was told first: who unsubscribed may not be let in again as a bounce. xmax is 0 in
# a row that was inserted.
PUT = """
WITH listed AS MATERIALIZED (
    SELECT value, cause FROM suppressions WHERE value = ANY(%(values)s::text[])
), put AS (
    INSERT INTO suppressions (value, cause, reason, source, created_by, created_at)
    SELECT value, %(cause)s, %(reason)s, %(source)s, %(created_by)s, %(created_at)s
    FROM unnest(%(values)s::text[]) AS value
    ON CONFLICT (value) DO UPDATE SET cause = excluded.cause, reason = excluded.reason, source = excluded.source,
        created_by = excluded.created_by, created_at = excluded.created_at
    WHERE array_position(%(causes)s::text[], excluded.cause::text)
        > array_position(%(causes)s::text[], suppressions.cause::text)
    RETURNING id, value, xmax = 0 AS added
)
SELECT put.id, put.value, put.added, listed.cause FROM put LEFT JOIN listed ON listed.value = put.value
"""
# Those of the values that are on the list, and one tombstone, whosever it is, if there are any.
LISTED = f"""
SELECT value FROM suppressions WHERE value IN (SELECT json_array_elements_text(%s::json))
UNION ALL (SELECT value FROM suppressions WHERE value LIKE '{START}%%' LIMIT 1)
"""  # noqa: S608 (a constant)


class ValueRefused(ValueError):
    """This cannot be suppressed. The text says why."""


class LiftRefused(Exception):
    """This cannot be taken off the list. The text says why; nothing has changed."""


@dataclass
class Suppressed:
    """This says what `suppress` did. `refused` holds what was not taken, as it was given; `reasons` says why, in this
    order. `raised`: those of `already` that have a stronger cause from now on. `leads`: open leads
    that ended.
    """

    added: int = 0
    already: int = 0
    refused: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    raised: int = 0
    leads: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON: what command and API show of it."""
        counts = {name: number for name, number in asdict(self).items() if isinstance(number, int)}
        refused = [{"value": value, "reason": why} for value, why in zip(self.refused, self.reasons, strict=True)]
        return {**counts, "refused": refused}


@dataclass(frozen=True)
class Checked:
    """This says of an address or domain, normalised where it is one, whether anybody writes there. `row`: the row that
    keeps them from it; None for a placeholder of Apollo's, too."""

    value: str
    suppressed: bool
    row: Suppression | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the answer for JSON: what command and API show of it."""
        row = self.row
        return {
            "value": self.value,
            "suppressed": self.suppressed,
            "id": row and row.pk,
            "by": row and row.value,
            "cause": row and row.cause,
            "reason": row and row.reason,
            "source": row and row.source,
            "created_by": row and row.created_by,
            "created_at": row and row.created_at,
        }


def suppressed_among(addresses: Iterable[str]) -> set[str]:
    """Find those of the normalised addresses that are suppressed, or erased. At most two queries."""
    asked = list(dict.fromkeys(addresses))
    above = {domain: domain_and_parents(domain) for domain in set(map(domain_of, asked))}
    wanted = {UNSTORABLE.sub("", value) for values in (asked, *above.values()) for value in values}
    with connection.cursor() as cursor:
        cursor.execute(LISTED, [json.dumps(list(wanted))])
        if not (listed := {value for (value,) in cursor.fetchall()}):
            return set()
    suppressed = {address for address in asked if not listed.isdisjoint([address, *above[domain_of(address)]])}
    # A hash of each address is dear: only if there is a tombstone that it could stand on.
    return suppressed | erased_among(asked) if any(value.startswith(START) for value in listed) else suppressed


def check(given: Iterable[str]) -> list[Checked]:
    """Say of each address or domain whether it is on the list, itself or by a domain above it; in any notation. One
    query, whatever their number."""
    values = [(text, _values_in(text)) for text in given]
    wanted = {key for _, found in values for value in found for key in _keys(value)}
    rows = {row.value: row for row in Suppression.objects.filter(value__in=wanted)}
    checked = []
    for text, found in values:
        listed = (rows[key] for value in found for key in _keys(value) if key in rows)
        row = next(listed, None)
        checked.append(Checked(found[0], row is not None or holds_locked(text), row))
    return checked


def _values_in(text: str) -> list[str]:
    """Return what a text stands for; what is neither address nor domain, in its ASCII letters."""
    text = UNSTORABLE.sub("", text)
    if addresses := addresses_in(text):
        return addresses
    domain = None if "@" in text.strip()[1:] else normalise_domain(text.strip().removeprefix("*.").removeprefix("@"))
    return [domain or text.strip().lower().encode("ascii", "ignore").decode()]


def _keys(value: str) -> list[str]:
    """Return the values of the list that would keep anybody from writing to this one."""
    return list(dict.fromkeys([value, tombstone(value), *domain_and_parents(domain_of(value))]))


def listed_among(addresses: Iterable[str]) -> set[str]:
    """Find those of the normalised addresses that are on the list themselves, whatever it says about their domains, or
    were erased."""
    values = {name: address for address in addresses for name in (address, tombstone(address))}
    return {values[name] for name in Suppression.objects.filter(value__in=values).values_list("value", flat=True)}


def erased_among(names: Iterable[str]) -> set[str]:
    """Find those of the names (normalised addresses, `apollo:` and an id) that were erased. One query, if any is
    asked for."""
    values = {tombstone(name): name for name in names}
    if not values:
        return set()
    return {values[value] for value in Suppression.objects.filter(value__in=values).values_list("value", flat=True)}


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
    """Put addresses and domains on the list and end the open leads that they hold; harmless to repeat.

    Each new value leaves an event. In batches of 5,000, each its own transaction. A value that is listed already takes
    a FINAL cause, and no other.
    """
    result = Suppressed()
    told = False
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
        added = _put(list(wanted), fit(reason, Suppression, "reason"), actor, cause, result)
        if added >= MANY and not told:
            told = True
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE (SKIP_LOCKED) suppressions")
    return result


def _put(values: list[str], reason: str, actor: Actor, cause: Suppression.Cause, result: Suppressed) -> int:
    """Put a batch on the list and count it in `result`; how many are new. In sorted order, so that two callers with the
    same values cannot deadlock."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            parameters: dict[str, Any] = {
                "values": sorted(values), "cause": cause, "reason": reason, "source": actor.door,
                "created_by": actor.name, "created_at": timezone.now(), "causes": list(CAUSES),
            }  # fmt: skip
            cursor.execute(PUT, parameters)
            put = cursor.fetchall()
        # Before a lead is locked, which a push under way has yet to end: no push to these leaves after the commit.
        wait_for_pushes(value for _, value, _, _ in put)
        leads = end_leads_of([v for v in values if "@" in v], [v for v in values if "@" not in v], WHY)
        _record(put, leads, reason, actor, cause)
        if leads:
            wake_supervisor()
    added = sum(1 for _, _, is_new, _ in put if is_new)
    result.added += added
    result.already += len(values) - added
    result.raised += len(put) - added
    result.leads += sum(map(len, leads.values()))
    return added


def _record(
    put: list[tuple[int, str, bool, str | None]],
    leads: Mapping[str, list[int]],
    reason: str,
    actor: Actor,
    cause: Suppression.Cause,
) -> None:
    """Record an event for each value that is new, has another cause, or has ended leads although it was listed."""
    changed = [(pk, value, before, str(cause)) for pk, value, _, before in put]
    listed = set(leads) - {value for _, value, _, _ in changed}
    if listed:
        rows = Suppression.objects.filter(value__in=listed).values_list("pk", "value", "cause")
        changed += [(pk, value, before, before) for pk, value, before in rows]
    rows_of_events = [
        events.build(
            "suppression",
            pk,
            "suppressed",
            actor=actor,
            reason=reason,
            before={"cause": before} if before else None,
            after={"value": value, "cause": after, "leads": len(leads.get(value, []))},
        )
        for pk, value, before, after in changed
    ]
    Event.objects.bulk_create(rows_of_events, batch_size=1000)


def lift(row: Suppression, *, actor: Actor, reason: str) -> None:
    """Take a value off the list, with an event. What had ended stays ended, and Instantly's own block list keeps it.

    Raises LiftRefused if it is there by the person's own wish, ValidationError without a reason, DoesNotExist when
    somebody was faster.
    """
    if not reason.strip():
        raise ValidationError({"reason": ["A reason is needed: it becomes part of the record."]})
    with transaction.atomic():
        deleted, _ = Suppression.objects.filter(pk=row.pk).exclude(cause__in=Suppression.FINAL).delete()
        if not deleted:
            raise LiftRefused(Suppression.objects.get(pk=row.pk).why_final)
        before = {"value": row.value, "cause": row.cause, "reason": row.reason, "blocked": row.blocked_at is not None}
        events.record("suppression", row.pk, "lifted", actor=actor, reason=reason, before=before)


def _batches(values: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(values)
    while batch := list(islice(rest, BATCH)):
        yield batch
