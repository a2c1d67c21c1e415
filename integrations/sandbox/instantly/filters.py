"""Instantly's filters of leads, and a lead's interest as the number that stands for it.

Source: the document names one filter as an example and the numbers without words; the others are those that public
clients send. Undocumented, decided here: a filter that nobody knows is refused.
"""

from collections.abc import Callable

from integrations.sandbox.exchange import Unreadable
from integrations.sandbox.instantly.workspace import Item

ACTIVE, PAUSED, COMPLETED, BOUNCED, UNSUBSCRIBED, SKIPPED = 1, 2, 3, -1, -2, -3
STATUSES = (ACTIVE, PAUSED, COMPLETED, BOUNCED, UNSUBSCRIBED, SKIPPED)

# By the last words of the event and of the filter.
INTERESTS = {
    "out_of_office": 0,
    "interested": 1,
    "meeting_booked": 2,
    "meeting_completed": 3,
    "closed": 4,
    "not_interested": -1,
    "wrong_person": -2,
    "lost": -3,
    "no_show": -4,
}


def _count(lead: Item, name: str) -> bool:
    return lead.get(name) not in (None, 0)


def _contacted(lead: Item) -> bool:
    return lead.get("timestamp_last_contact") is not None


def _interested(value: int) -> Callable[[Item], bool]:
    return lambda lead: lead.get("lt_interest_status") == value


def _status(value: int) -> Callable[[Item], bool]:
    return lambda lead: lead["status"] == value


FILTERS: dict[str, Callable[[Item], bool]] = {
    "FILTER_VAL_CONTACTED": _contacted,
    "FILTER_VAL_NOT_CONTACTED": lambda lead: not _contacted(lead),
    "FILTER_VAL_ACTIVE": _status(ACTIVE),
    "FILTER_VAL_COMPLETED": _status(COMPLETED),
    "FILTER_VAL_BOUNCED": _status(BOUNCED),
    "FILTER_VAL_UNSUBSCRIBED": _status(UNSUBSCRIBED),
    "FILTER_VAL_SKIPPED": _status(SKIPPED),
    "FILTER_VAL_REPLIED": lambda lead: _count(lead, "email_reply_count"),
    "FILTER_VAL_LINK_CLICKED": lambda lead: _count(lead, "email_click_count"),
    "FILTER_VAL_NO_OPENS": lambda lead: _contacted(lead) and not _count(lead, "email_open_count"),
    "FILTER_VAL_OPENED_NO_REPLY": lambda lead: (
        _count(lead, "email_open_count") and not _count(lead, "email_reply_count")
    ),
    "FILTER_VAL_COMPLETED_NO_REPLY": lambda lead: lead["status"] == COMPLETED and not _count(lead, "email_reply_count"),
    **{f"FILTER_LEAD_{name.upper()}": _interested(value) for name, value in INTERESTS.items()},
}


def filter_of(body: Item) -> Callable[[Item], bool]:
    """Return the test that the `filter` of a list request makes; without one everything passes. Raises Unreadable."""
    name = body.get("filter")
    if name in (None, ""):
        return lambda _: True
    if name not in FILTERS:
        raise Unreadable("body/filter must be equal to one of the allowed values")
    return FILTERS[str(name)]
