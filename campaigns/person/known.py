"""All that is known of one person is found here, by an address: to be shown, to be handed out, to be erased."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, Q, QuerySet

from campaigns.leads.addresses import normalise
from campaigns.leads.tombstones import tombstone
from campaigns.models import (
    Contact,
    Erasure,
    JobRow,
    KnownFact,
    Lead,
    OutcomeEvent,
    Suppression,
    VendorCall,
)
from circuitbreakers.models import Event


class NoAddress(ValueError):
    """This names nobody. The text says what does."""


@dataclass(frozen=True)
class Person:
    """A person is their addresses (normalised) and Apollo's ids of them: what leads of one id or address have."""

    addresses: frozenset[str]
    apollo_ids: frozenset[str]
    names: frozenset[str] = field(default=frozenset())  # `First Last`, where both are known

    @property
    def keys(self) -> list[str]:
        """Return the names that contacts, facts and tombstones have for this person, sorted."""
        return sorted([*self.addresses, *(f"apollo:{pk}" for pk in self.apollo_ids)])

    @property
    def tombstones(self) -> list[str]:
        return [tombstone(key) for key in self.keys]

    def leads(self) -> QuerySet[Lead]:
        return Lead.objects.filter(
            Q(email__in=self.addresses) | (Q(apollo_id__in=self.apollo_ids) & ~Q(apollo_id=""))
        ).order_by("pk")

    def rows(self) -> dict[str, QuerySet[Any]]:
        """Return all rows about this person, by the name under which they are handed out."""
        leads = list(self.leads().values_list("pk", flat=True))
        facts = Q(about__in=self.addresses) | Q(key__in=[f"person:{pk}" for pk in self.apollo_ids])
        listed = Suppression.objects.filter(value__in=[*self.addresses, *self.tombstones])
        ids = [str(pk) for pk in listed.values_list("pk", flat=True)]
        return {
            "leads": self.leads(),
            "jobs": JobRow.objects.filter(lead__in=leads).order_by("pk"),
            "calls": VendorCall.objects.filter(job__lead__in=leads).order_by("pk"),
            "contacts": Contact.objects.filter(key__in=self.keys),
            "known_facts": KnownFact.objects.filter(facts).order_by("key"),
            "outcomes": OutcomeEvent.objects.filter(email__in=self.addresses).order_by("pk"),
            "suppressions": listed,
            "events": Event.objects.filter(
                Q(subject_type="lead", subject_id__in=[str(pk) for pk in leads])
                | Q(subject_type="suppression", subject_id__in=ids)
            ).order_by("pk"),
            "erasures": Erasure.objects.filter(digests__has_any_keys=self.tombstones),
        }


def find(address: str) -> Person:
    """Find who has this address, by whatever else their leads say. Raises NoAddress for what is none."""
    email = normalise(address)
    if email is None:
        raise NoAddress(f"{address.strip()[:100]!r} is no address. Write one, such as ida@acme.example.")
    addresses, ids = {email}, set[str]()
    while True:
        found = Person(frozenset(addresses), frozenset(ids))
        rows = list(found.leads().values_list("email", "apollo_id", "first_name", "last_name"))
        addresses |= {row[0] for row in rows if row[0]}
        ids |= {row[1] for row in rows if row[1]}
        if addresses == set(found.addresses) and ids == set(found.apollo_ids):
            names = {f"{first} {last}" for _, _, first, last in rows if first and last}
            return Person(found.addresses, found.apollo_ids, frozenset(names))


def counts(person: Person) -> dict[str, int]:
    """Count the rows about this person."""
    return {name: rows.count() for name, rows in person.rows().items()}


def export(person: Person) -> dict[str, Any]:
    """Return all that is known, every column of every row, for JSON."""
    return {
        "addresses": sorted(person.addresses),
        "apollo_ids": sorted(person.apollo_ids),
        **{name: list(_plain(rows)) for name, rows in person.rows().items()},
    }


def _plain(rows: QuerySet[Model]) -> Iterable[Mapping[str, Any]]:
    return rows.values()
