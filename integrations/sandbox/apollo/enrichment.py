"""Apollo's enrichment finds what is known about the people whom a request names, and charges for it."""

from integrations.sandbox.apollo.profiles import profile
from integrations.sandbox.exchange import Request, Unreadable, digest
from integrations.sandbox.world import people
from integrations.sandbox.world.people import Person


def query(request: Request) -> dict[str, object]:
    """Enrichment of one person takes its identifiers from the query string; a JSON body is not looked at."""
    return dict(request.parameters())


def details(request: Request) -> list[dict[str, object]]:
    details = request.json().get("details")
    if details is None:
        return []
    if not isinstance(details, list) or not all(isinstance(detail, dict) for detail in details):
        raise Unreadable("details is not a list of objects")
    return details


def keys(details: list[dict[str, object]]) -> list[str]:
    """List whom a reveal asks for: the person's id, else the address, else name and domain."""
    return [
        str(detail.get("id") or detail.get("email") or f"{detail.get('name', '')}|{detail.get('domain', '')}")
        for detail in details
    ]


def identify(detail: dict[str, object]) -> Person | None:
    """Find a person by id only, which is what a search hands out: other identifiers find nobody here."""
    person = people.by_id(str(detail.get("id") or ""))
    return person if person and person.matched else None


def charges(found: list[Person | None]) -> dict[str, float]:
    """Charge one credit a person with data; the same person twice in one call is charged once."""
    return {person.id: 1 for person in found if person and person.email}


def matches(request: Request, found: list[Person | None], charged: int) -> dict[str, object]:
    return {
        "status": "success",
        "error_code": None,
        "error_message": None,
        "total_requested_enrichments": len(found),
        "unique_enriched_records": charged,
        "missing_records": sum(person is None for person in found),
        "credits_consumed": float(charged),
        "matches": [profile(person) if person else None for person in found],
        "request_id": request_id(request),
    }


def request_id(request: Request) -> int:
    """Return a signed 64-bit number, negative every other time, as the vendor's are."""
    return (digest("apollo", request.query_string, request.body.hex()) & 0xFFFF_FFFF_FFFF_FFFF) - (1 << 63)
