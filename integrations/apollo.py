"""Apollo.io finds people (free, but obfuscated) and reveals them (a credit a person).

Facts: docs.apollo.io, OpenAPI document of 2026. Three surprises: parameters travel in the query string of a POST,
exhausted credits are a 422, and a bad key is answered in plain text.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from django.conf import settings

from circuitbreakers.probes import ProbeResult
from integrations import causes, http, prices, probing, ratelimits, reading
from integrations.answers import Answer, by_status
from integrations.errors import FailureType
from integrations.results import FoundPerson, Outlook, PeoplePage, Person, Reveal, Usage

SERVICE = "apollo"

REVEAL_AT_ONCE = 10  # people per bulk_match; the eleventh is answered with RECORD_LIMIT_EXCEEDED
PER_PAGE = 100  # people per page of a search, at most
PAGES = 500  # pages of a search that can be asked for: 50,000 people

NO_PLAN_WORDS = ("upgrade your plan", "free plan")

# Stands where an address would be that has not been paid for.
LOCKED_ADDRESS = "email_not_unlocked@"


def classify(answer: Answer) -> FailureType | None:
    """Say what went wrong, None if nothing did."""
    body = answer.body or {}
    if answer.status == 403 and body and any(words in answer.words for words in NO_PLAN_WORDS):
        return FailureType.QUOTA_EXHAUSTED
    if answer.ok and _hides_a_failure(body):
        return causes.by_names(answer.names) or causes.by_words(answer.complaint) or FailureType.SERVER_ERROR
    failure = by_status(answer)
    # A validation error may come as a string of JSON; exhausted credits (BILLING.LIMIT.CREDITS_EXHAUSTED, captured
    # 2026-09, and in an older form as bare text) have been told apart from it by their code and words.
    if answer.status == 422 and failure == FailureType.MALFORMED and not answer.is_html:
        return FailureType.INVALID_REQUEST
    return failure


def _hides_a_failure(body: dict[str, Any]) -> bool:
    """A reveal that worked says `success`, also one that matched nobody. Where it says anything else, the work was not
    done, or not all of it: whoever is missing in it may exist."""
    status = reading.text(body.get("status")).lower()
    failed = status in ("failed", "error") or ("matches" in body and status not in ("", "success"))
    return bool(body.get("error") or body.get("error_code") or failed)


def search_people(params: dict[str, Any], *, page: int, per_page: int) -> PeoplePage:
    """Search one page (1 to 500, of at most 100) of the people that match `params`, in Apollo's API names:
    `{"person_titles[]": ["CTO"], "q_keywords": "robots", "revenue_range[min]": 1000}`. Free. Raises VendorError."""
    query: list[tuple[str, str | int]] = []
    for name, value in params.items():
        if name in ("page", "per_page"):
            continue
        if isinstance(value, list | tuple):
            query += [(f"{name.removesuffix('[]')}[]", _parameter(item)) for item in value]
        else:
            query.append((name, _parameter(value)))
    query += [("page", page), ("per_page", per_page)]
    answer = _call("POST", "/mixed_people/api_search", params=query)
    body = answer.body or {}
    total = reading.whole(body.get("total_entries"))
    if total is None or not isinstance(body.get("people"), list):
        raise http.failed(SERVICE, FailureType.MALFORMED, answer, "no people and no total in a search's answer")
    return PeoplePage(
        total=max(total, 0),
        people=[found for person in reading.mappings(body["people"]) if (found := _found(person)).id],
        usage=Usage(),
        request_id=answer.request_id,
        http_status=answer.status,
        limits=ratelimits.apollo(answer.headers),
    )


def reveal(person_ids: list[str]) -> Reveal:
    """Reveal up to ten people with their addresses, in the order asked; None for each that Apollo does not match.

    Costs what the vendor reports, fractions included. Asking again may charge again. Raises VendorError; ValueError
    for no ids or more than ten.
    """
    if not 1 <= len(person_ids) <= REVEAL_AT_ONCE:
        raise ValueError(f"reveal takes 1 to {REVEAL_AT_ONCE} ids, not {len(person_ids)}")
    answer = _call(
        "POST",
        "/people/bulk_match",
        params=[("reveal_personal_emails", "false"), ("reveal_phone_number", "false")],
        json={"details": [{"id": person_id} for person_id in person_ids]},
        billed=_credits,
    )
    body = answer.body or {}
    rows = body.get("matches")
    if not isinstance(rows, list):
        raise http.failed(SERVICE, FailureType.MALFORMED, answer, "no matches in an enrichment's answer")
    people = _aligned(person_ids, [_person(row) if isinstance(row, dict) else None for row in rows])
    if len(people) == REVEAL_AT_ONCE and not any(people):
        # Each of the ten was in its own search: a success that hides a failure, and would drop ten leads for good.
        raise http.failed(SERVICE, FailureType.MALFORMED, answer, "not one of ten people matched", _credits(answer))
    return Reveal(
        matches=people,
        usage=_credits(answer),
        request_id=answer.request_id,
        http_status=answer.status,
        limits=ratelimits.apollo(answer.headers),
    )


def _aligned(person_ids: list[str], rows: list[Person | None]) -> list[Person | None]:
    """Put one row to each id, by the rows' own ids: rows have come in another order, and without those not matched.

    A row under an id that nobody asked for (Apollo merges people) was paid for too. It stays in its place, or goes to
    the next free one, unless rows are missing, so that no place says anything.
    """
    by_id = {row.id: row for row in reversed(rows) if row}
    people = [by_id.get(person_id) for person_id in person_ids]
    if len(rows) == len(person_ids):
        for place, row in enumerate(rows):
            if row and row.id not in person_ids:
                free = [at for at in (place, *range(len(people))) if people[at] is None]
                if free:
                    people[free[0]] = row
    return people


def _credits(answer: Answer) -> Usage:
    """Read what the vendor says it took; where it is silent, a credit for each row with an address."""
    body = answer.body or {}
    spent = reading.amount(body.get("credits_consumed"))
    if spent is None:
        spent = Decimal(sum(1 for row in reading.mappings(body.get("matches")) if _person(row).email))
    return Usage(credits=spent, cost_usd=prices.cost(SERVICE, credits=spent))


def probe() -> ProbeResult:
    """Make the free health call, which reads the profile behind the key."""

    def ask() -> str:
        left = outlook().left
        return "The key is accepted" + (f", {left:f} credits left" if left is not None else "")

    return probing.probed("the key is valid; not that it may search or reveal, nor that credits are left", ask)


def outlook() -> Outlook:
    """Tell how many credits are left, from the profile behind the key; free. Raises VendorError."""
    answer = _call("GET", "/users/api_profile", params=[("include_credit_usage", "true")], longest=http.PROBE_DEADLINE)
    body = answer.body or {}
    if not reading.identifier(body.get("id")):
        raise http.failed(SERVICE, FailureType.MALFORMED, answer, "nobody in the profile")
    granted = reading.amount(body.get("effective_num_lead_credits"))
    used = reading.amount(body.get("total_unified_credits_used"))
    # `num_credits_remaining` sticks at 0 on accounts with unified credits while enrichment works.
    left = max(granted - used, Decimal(0)) if granted is not None and used is not None else None
    return Outlook(left=left, unit="credits")


def needs() -> list[tuple[str, Callable[[], object]]]:
    """List what a key must be allowed, each with a call that is free: a search is, and so is revealing nobody."""
    ask = partial(_call, "POST", longest=http.PROBE_DEADLINE)
    return [
        ("search people", partial(ask, "/mixed_people/api_search", params=[("page", 1), ("per_page", 1)])),
        ("reveal people", partial(ask, "/people/bulk_match", json={"details": []})),
    ]


def _call(method: str, path: str, **request: Any) -> Answer:
    headers = {"x-api-key": str(settings.VENDORS[SERVICE]["api_key"]), "Cache-Control": "no-cache"}
    return http.call(SERVICE, classify, method, path, headers=headers, **request)


def _parameter(value: Any) -> str | int:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, int) else str(value)


def _found(row: dict[str, Any]) -> FoundPerson:
    return FoundPerson(
        id=reading.identifier(row.get("id")),
        first_name=reading.text(row.get("first_name")),
        last_name_obfuscated=reading.text(row.get("last_name_obfuscated")),
        title=reading.text(row.get("title")),
        company=reading.text(reading.mapping(row.get("organization")).get("name")),
        # Silence is no answer: only who says no is not worth a credit.
        has_email=row.get("has_email") is not False,
    )


def _person(row: dict[str, Any]) -> Person:
    company = reading.mapping(row.get("organization"))
    email = reading.text(row.get("email")).strip()
    return Person(
        id=reading.identifier(row.get("id")),
        first_name=reading.text(row.get("first_name")),
        last_name=reading.text(row.get("last_name")),
        name=reading.text(row.get("name")),
        email=email if email and not email.startswith(LOCKED_ADDRESS) else None,
        email_status=reading.text(row.get("email_status")),
        title=reading.text(row.get("title")),
        headline=reading.text(row.get("headline")),
        linkedin_url=reading.text(row.get("linkedin_url")),
        company=reading.text(company.get("name")),
        company_domain=reading.text(company.get("primary_domain")),
        city=reading.text(row.get("city")),
        state=reading.text(row.get("state")),
        country=reading.text(row.get("country")),
    )
