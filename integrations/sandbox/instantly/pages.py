"""Instantly lists the leads that a request asks for, a page at a time."""

from integrations.sandbox.instantly.workspace import Item


def wanted(lead: Item, body: Item) -> bool:
    """Say whether a lead passes the filters of a list request that narrow here; `filter` is judged
    apart (filters.py), and the others are accepted and ignored."""
    search = str(body.get("search") or "").lower()
    contacts, ids, excluded = body.get("contacts"), body.get("ids"), body.get("excluded_ids")
    return (
        (not search or search in _text(lead))
        and all(body.get(name) in (None, "", lead.get(name)) for name in ("campaign", "list_id"))
        and (
            not isinstance(contacts, list) or str(lead.get("email")).lower() in [str(each).lower() for each in contacts]
        )
        and (not isinstance(ids, list) or lead["id"] in ids)
        and (not isinstance(excluded, list) or lead["id"] not in excluded)
        and (body.get("in_campaign") is None or ("campaign" in lead) == body["in_campaign"])
        and (body.get("in_list") is None or ("list_id" in lead) == body["in_list"])
    )


def _text(lead: Item) -> str:
    return " ".join(str(lead.get(name) or "") for name in ("first_name", "last_name", "email")).lower()


def page(items: list[Item], limit: int, after: str) -> Item:
    """Return a page after the item `after`. A last page still carries a cursor, as the vendor's may: only an empty page
    is the end. A cursor that fits nothing finds nothing."""
    start = 0
    if after:
        start = next(
            (index + 1 for index, item in enumerate(items) if after in (item["id"], item.get("email"))), len(items)
        )
    page = items[start : start + limit]
    return {"items": page, **({"next_starting_after": page[-1]["id"]} if page else {})}
