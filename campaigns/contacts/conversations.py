"""Who may be taken into a conversation is decided here for a batch of people, before anything is paid for them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from campaigns.contacts import rows
from campaigns.contacts.names import counted_domain
from campaigns.contacts.policy import ContactPolicy, Standing, domain_full, refusal
from campaigns.contacts.rows import Held, Person


@dataclass
class Room:
    """A domain's room says how many of its people were written to, and how many more are in conversation."""

    pushed: int = 0
    held: int = 0


@dataclass
class Batch:
    """A batch is decided from this: the contacts as they are, their active holders, and the people of each domain by
    (domain, days). Deciding changes it: who is taken in counts for the next."""

    contacts: dict[str, Held]
    active: set[tuple[int | None, int | None]]
    people: dict[tuple[str, int], Room] = field(default_factory=dict)


def take_in(people: Sequence[Person], policies: Mapping[int, ContactPolicy]) -> list[str]:
    """Hold the contacts of those who may be written to; for each person why not, '' for who is taken in. In a
    transaction.

    `policies`: of the people's campaigns. Somebody who comes first wins against who comes later.
    """
    if not people:
        return []
    contacts = rows.claim(people)
    own = {(person.campaign, person.lead) for person in people}
    others = [row for row in contacts.values() if (row.campaign, row.lead) not in own]
    before = {key: (row.campaign, row.lead) for key, row in contacts.items()}
    batch = Batch(contacts, rows.active(others), _people(people, policies))
    reasons = decide(people, policies, batch, timezone.now())
    rows.hold(row for key, row in contacts.items() if (row.campaign, row.lead) != before[key])
    return reasons


def decide(people: Iterable[Person], policies: Mapping[int, ContactPolicy], batch: Batch, now: datetime) -> list[str]:
    """Decide person by person, without a query; `batch` is left as it is to be written."""
    reasons = []
    for person in people:
        policy = policies[person.campaign]
        contacts = [batch.contacts[key] for key in person.keys]
        why = refusal(policy, person.campaign, [standing(row, batch.active) for row in contacts], now)
        rooms = _rooms(person, policy, batch)
        for domain, room in rooms.items():
            if not why and room.pushed + room.held >= policy.domain_people:
                why = domain_full(domain, policy.domain_days, room.pushed, room.held)
        reasons.append(why)
        if why:
            continue
        for room in rooms.values():
            room.held += 1
        for row in contacts:
            if (row.campaign, row.lead) not in batch.active or row.campaign == person.campaign:
                row.held_since = (row.held_since if row.campaign == person.campaign else None) or now
                row.campaign, row.lead = person.campaign, person.lead
                batch.active.add((person.campaign, person.lead))
    return reasons


def standing(row: Held, active: set[tuple[int | None, int | None]]) -> Standing:
    """Say how a person stands under one name, by the row and by which holders are active."""
    holds = (row.campaign, row.lead) in active
    return Standing(
        held_by=row.campaign if holds else None,
        held_since=row.held_since if holds else None,
        pushed_by=row.pushed_by,
        pushed_at=row.pushed_at,
    )


def standings(keys: Iterable[str]) -> dict[str, Standing]:
    """Return how people stand under these names now; nothing of a name that is no contact. Locks nothing."""
    contacts = rows.read(keys)
    active = rows.active(contacts.values())
    return {key: standing(row, active) for key, row in contacts.items()}


def _people(people: Sequence[Person], policies: Mapping[int, ContactPolicy]) -> dict[tuple[str, int], Room]:
    """Count the people of those domains for which a policy asks."""
    domains: dict[int, set[str]] = {}
    for person in people:
        policy = policies[person.campaign]
        if policy.domain_people:
            domains.setdefault(policy.domain_days, set()).update(filter(None, map(counted_domain, person.keys)))
    # Those of the batch are counted as they are decided.
    apart = {key for person in people for key in person.keys} if domains else ()
    return {
        (domain, days): Room(pushed, held)
        for days, names in domains.items()
        for domain, (pushed, held) in rows.people_of(names, days, apart).items()
    }


def _rooms(person: Person, policy: ContactPolicy, batch: Batch) -> dict[str, Room]:
    """Return the rooms in which this person counts; none without a limit."""
    if not policy.domain_people:
        return {}
    names = filter(None, map(counted_domain, person.keys))
    return {name: batch.people.setdefault((name, policy.domain_days), Room()) for name in names}
