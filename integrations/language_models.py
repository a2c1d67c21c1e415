"""A language model is ours by its name in the settings, and is there as long as the service's free list has it.

OpenAI's list foretells the day on which a model is shut down; Perplexity's says nothing of it.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime

from django.conf import settings

from integrations import http, reading
from integrations.errors import FailureType, VendorError
from integrations.results import Outlook


def ours(service: str) -> str:
    """Return the name of the model that this service is asked to run."""
    return str(getattr(settings, f"{service.upper()}_MODEL"))


def listed(service: str, classify: http.Classify, path: str) -> dict[str, date | None]:
    """List the models that the service offers, each with the day of its end, None if none is announced; free.

    Raises VendorError.
    """
    answer = http.call_as_bearer(service, classify, "GET", path, longest=http.PROBE_DEADLINE)
    rows = (answer.body or {}).get("data")
    if not isinstance(rows, list):
        raise http.failed(service, FailureType.MALFORMED, answer, "no list of models in the answer")
    return {reading.identifier(row.get("id")): _day(row.get("shutdown_date")) for row in reading.mappings(rows)}


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(reading.text(value))
    except ValueError:
        return None


def outlook(service: str, listed: Mapping[str, date | None]) -> Outlook:
    """Tell when our model ends, from the listed ones. Raises VendorError if it has."""
    availability(service, listed)
    return Outlook(model=ours(service), ends=listed[ours(service)])


def availability(service: str, listed: Mapping[str, date | None], today: date | None = None) -> str:
    """Say in a clause that our model is there, and until when.

    Raises VendorError (auth: no retry cures it) if it is not, for the next paid call would fail by it.
    """
    name, setting = ours(service), f"{service.upper()}_MODEL"
    end, today = listed.get(name), today or datetime.now(UTC).date()
    if name not in listed:
        why = f"model {name} is not in the list of models that the key may use: put another into {setting}"
    elif end and end <= today:
        why = f"model {name} was shut down on {end}: put another into {setting}"
    elif end:
        days = (end - today).days
        return f"model {name} is listed, but is shut down on {end}, in {days} day{'s' * (days != 1)}: change {setting}"
    else:
        return f"model {name} is listed"
    raise VendorError(service=service, failure_type=FailureType.AUTH, message=why)
