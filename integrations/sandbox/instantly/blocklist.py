"""Instantly keeps a block list of addresses and domains for the whole workspace.

Source: the published OpenAPI document (version 2.0.0). Undocumented, decided here: a value that is on the list already
is valid and comes back from creating one, but is not among the items of a bulk creation; a domain blocks itself, not
what is below it. Safe to use from many threads.
"""

import re
import threading
import uuid

from integrations.sandbox.exchange import Answer, Request, Unreadable
from integrations.sandbox.instantly.answers import error, found, listing
from integrations.sandbox.instantly.shapes import EMAIL, closed, required
from integrations.sandbox.instantly.workspace import ORGANIZATION, Item, stamp
from integrations.sandbox.vendor import Route

PATH = "/api/v2/block-lists-entries"
DOMAIN = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
MAX_VALUES = 1000


class BlockList:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()
        self.routes = [
            Route("GET", PATH, self.entries),
            Route("POST", PATH, self.create),
            Route("DELETE", PATH, self.delete_all),
            Route("POST", f"{PATH}/bulk-create", self.bulk_create),
            Route("GET", f"{PATH}/{{id}}", self.get),
            Route("DELETE", f"{PATH}/{{id}}", self.delete),
        ]

    def forget(self) -> None:
        with self._lock:
            self._entries: dict[str, Item] = {}

    def blocks(self, email: str) -> bool:
        """Say whether the address, or its domain, is on the list."""
        address = email.strip().lower()
        with self._lock:
            return address in self._entries or address.rpartition("@")[2] in self._entries

    def entries(self, request: Request) -> Answer:
        return listing(self._wanted(request), request)

    def create(self, request: Request) -> Answer:
        body = request.json()
        closed(body, {"bl_value"})
        required(body, "bl_value")
        entry, _ = self._add(body["bl_value"])
        return Answer.json(200, entry) if entry else error(400, "bl_value must be an email or a domain")

    def bulk_create(self, request: Request) -> Answer:
        body = request.json()
        required(body, "bl_values")
        values = body["bl_values"]
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise Unreadable("body/bl_values must be array of string")
        if not 1 <= len(values) <= MAX_VALUES:
            raise Unreadable(
                f"body/bl_values must NOT have {'fewer than 1' if not values else f'more than {MAX_VALUES}'} items"
            )
        results = [self._add(value) for value in values]
        valid = sum(entry is not None for entry, _ in results)
        return Answer.json(
            200,
            {
                "items": [entry for entry, new in results if entry and new],
                "valid_count": valid,
                "invalid_count": len(values) - valid,
            },
        )

    def get(self, request: Request) -> Answer:
        with self._lock:
            return found(next((entry for entry in self._entries.values() if entry["id"] == request.last), None))

    def delete(self, request: Request) -> Answer:
        with self._lock:
            entry = next((entry for entry in self._entries.values() if entry["id"] == request.last), None)
            if entry:
                del self._entries[str(entry["bl_value"])]
            return found(entry)

    def delete_all(self, request: Request) -> Answer:
        """Delete what the query's filters leave over, and list it."""
        gone = self._wanted(request)
        with self._lock:
            for entry in gone:
                self._entries.pop(str(entry["bl_value"]), None)
        return Answer.json(200, gone)

    def _add(self, value: object) -> tuple[Item | None, bool]:
        """Return the entry of a value and whether it is new; no entry for what is neither address nor domain."""
        text = str(value).strip().lower()
        is_domain = bool(DOMAIN.fullmatch(text))
        if not is_domain and not EMAIL.fullmatch(text):
            return None, False
        with self._lock:
            if text in self._entries:
                return self._entries[text], False
            entry: Item = {
                "id": str(uuid.uuid4()),
                "timestamp_created": stamp(),
                "organization_id": ORGANIZATION,
                "bl_value": text,
                "is_domain": is_domain,
            }
            self._entries[text] = entry
            return entry, True

    def _wanted(self, request: Request) -> list[Item]:
        search = (request.parameter("search") or "").lower()
        domains_only = request.parameter("domains_only") == "true"
        with self._lock:
            entries = [*self._entries.values()]
        return [
            entry for entry in entries if search in str(entry["bl_value"]) and (entry["is_domain"] or not domains_only)
        ]
