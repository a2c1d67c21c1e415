"""Apollo's people search finds those of the invented people whom filters leave, always in the same order."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from integrations.sandbox.exchange import Request
from integrations.sandbox.world.names import Place
from integrations.sandbox.world.people import PEOPLE, Person, person

WORD = re.compile(r"\w+")


class BadFilter(ValueError):
    """A filter whose value cannot be read."""


@dataclass(frozen=True, slots=True)
class Filters:
    """These are the filters that narrow. Within one filter any value will do, between filters all must hold; others
    that Apollo documents (technologies, revenue, job postings) are accepted and narrow nothing."""

    titles: tuple[str, ...] = ()
    similar_titles: bool = True
    keywords: str = ""
    locations: tuple[str, ...] = ()
    company_locations: tuple[str, ...] = ()
    seniorities: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    email_statuses: tuple[str, ...] = ()
    company_ids: tuple[str, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()


def read(request: Request) -> Filters:
    """Read the filters of a search, from the query string, where Apollo documents them. Raises BadFilter."""

    def lowered(name: str) -> tuple[str, ...]:
        return tuple(sorted({value.strip().lower() for value in request.values(name)}))

    return Filters(
        titles=lowered("person_titles"),
        similar_titles=(request.parameter("include_similar_titles") or "true").lower() != "false",
        keywords=(request.parameter("q_keywords") or "").strip().lower(),
        locations=lowered("person_locations"),
        company_locations=lowered("organization_locations"),
        seniorities=lowered("person_seniorities"),
        domains=lowered("q_organization_domains_list"),
        email_statuses=lowered("contact_email_status"),
        company_ids=lowered("organization_ids"),
        sizes=tuple(sorted(_range(value) for value in request.values("organization_num_employees_ranges"))),
    )


def _range(value: str) -> tuple[int, int]:
    """Read `1,10` as Apollo writes it; an empty upper end means no limit."""
    low, comma, high = value.partition(",")
    if not comma or not low.strip().isdecimal() or not (high.strip() or "0").isdecimal():
        raise BadFilter(f"{value!r} is not a headcount range such as '1,10'")
    return int(low), int(high) if high.strip() else 1_000_000_000


@lru_cache(maxsize=64)
def find(filters: Filters) -> tuple[int, ...]:
    """Return the numbers of everybody whom the filters leave, ascending. The first search of its kind looks at all of
    them."""
    tests = _tests(filters)
    return tuple(number for number in range(PEOPLE) if all(test(person(number)) for test in tests))


def _tests(filters: Filters) -> list[Callable[[Person], bool]]:
    tests: list[Callable[[Person], bool]] = []
    if filters.domains:
        tests.append(lambda person: person.company.domain in filters.domains)
    if filters.company_ids:
        tests.append(lambda person: person.company.id in filters.company_ids)
    if filters.seniorities:
        tests.append(lambda person: person.seniority in filters.seniorities)
    if filters.sizes:
        tests.append(lambda person: any(low <= person.company.employees <= high for low, high in filters.sizes))
    if filters.email_statuses:
        tests.append(lambda person: person.email_status in filters.email_statuses)
    if filters.locations:
        tests.append(lambda person: any(_lies_in(person.place, wanted) for wanted in filters.locations))
    if filters.company_locations:
        tests.append(lambda person: any(_lies_in(person.company.place, place) for place in filters.company_locations))
    if filters.titles:
        tests.append(lambda person: any(_is_called(person, title, filters.similar_titles) for title in filters.titles))
    if filters.keywords:
        tests.append(lambda person: all(word in _text(person) for word in filters.keywords.split()))
    return tests


def _lies_in(place: Place, wanted: str) -> bool:
    """`berlin`, `texas, us` or `germany`: each part must name the city, the state or the country."""
    names = {part.lower() for part in place}
    if place.country == "United States":
        names |= {"us", "usa"}
    if place.country == "United Kingdom":
        names |= {"uk"}
    return all(part.strip() in names for part in wanted.split(","))


def _is_called(person: Person, title: str, similar: bool) -> bool:
    """Similar titles contain every word, whole (CTO is no part of director); otherwise the title must be this one."""
    if person.title is None:
        return False
    own = person.title.lower()
    return set(WORD.findall(title)) <= set(WORD.findall(own)) if similar else own == title


def _text(person: Person) -> str:
    return f"{person.name} {person.title or ''} {person.company.name} {person.company.industry}".lower()
