"""Instantly's subscriptions to events, and the list of what was delivered to them.

Source: the published OpenAPI document (version 2.0.0). Undocumented, decided here: a test delivers an event of the type
`test`, is not listed among the deliveries, and disables nothing. Safe to use from many threads.
"""

import re
import threading
import uuid
from collections.abc import Sequence

from integrations.sandbox.exchange import Answer, Request, Unreadable, digest
from integrations.sandbox.instantly import deliveries
from integrations.sandbox.instantly.answers import found, listing, not_found, owner
from integrations.sandbox.instantly.deliveries import Deliveries
from integrations.sandbox.instantly.events import KINDS, SUBSCRIBABLE, SUBSCRIBED_AS
from integrations.sandbox.instantly.shapes import closed, required
from integrations.sandbox.instantly.workspace import ORGANIZATION, Item, stamp
from integrations.sandbox.vendor import Route

ALL_EVENTS = "all_events"
EVENT_TYPES = (ALL_EVENTS, *SUBSCRIBABLE)
FIELDS = ("campaign", "name", "target_hook_url", "event_type", "custom_interest_value", "headers")
URL = re.compile(r"https?://[^\s/]+\S*")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Webhooks:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hooks: dict[str, Item] = {}
        self.deliveries = Deliveries()
        hooks, tried = "/api/v2/webhooks", "/api/v2/webhook-events"
        self.routes = [
            Route("GET", hooks, self.subscriptions),
            Route("POST", hooks, self.create),
            Route("GET", f"{hooks}/event-types", self.event_types),
            Route("GET", f"{hooks}/{{id}}", lambda request: found(self._hook(request.last))),
            Route("PATCH", f"{hooks}/{{id}}", self.patch),
            Route("DELETE", f"{hooks}/{{id}}", self.delete),
            Route("POST", f"{hooks}/{{id}}/test", self.test),
            Route("POST", f"{hooks}/{{id}}/resume", self.resume),
            Route("GET", tried, self.tries),
            Route("GET", f"{tried}/{{id}}", self.one_try),
        ]

    def forget(self) -> None:
        with self._lock:
            self._hooks = {}
        self.deliveries.forget()

    def hooks(self) -> list[Item]:
        """List the subscriptions, oldest first."""
        with self._lock:
            return list(self._hooks.values())

    def publish(self, bodies: Sequence[Item], *, copies: int = 1, shuffle: bool = False, delay: float = 0.0) -> int:
        """Deliver each payload, `copies` times, to whoever subscribed to it. Return how many deliveries that makes.

        Shuffled, they go out in another order, the same one in each run.
        """
        hooks = [hook for hook in self.hooks() if hook["status"] == deliveries.ACTIVE]
        due = [(hook, body) for body in bodies for _ in range(copies) for hook in hooks if wants(hook, body)]
        if shuffle:
            due = [due[place] for place in sorted(range(len(due)), key=lambda place: digest("shuffle", place))]
        return self.deliveries.add(due, delay)

    # --- endpoints ----------------------------------------------------------------------------------------------------

    def subscriptions(self, request: Request) -> Answer:
        campaign, kind = request.parameter("campaign"), request.parameter("event_type")
        return listing(
            [
                hook
                for hook in self.hooks()
                if campaign in (None, hook["campaign"]) and kind in (None, hook["event_type"])
            ],
            request,
        )

    def create(self, request: Request) -> Answer:
        body = request.json()
        check(body)
        required(body, "target_hook_url")
        hook: Item = {
            "id": str(uuid.uuid4()),
            "organization": ORGANIZATION,
            **dict.fromkeys(FIELDS),
            **body,
            "timestamp_created": stamp(),
            "status": deliveries.ACTIVE,
            "timestamp_error": None,
        }
        with self._lock:
            self._hooks[str(hook["id"])] = hook
        return Answer.json(200, hook)

    def event_types(self, _: Request) -> Answer:
        types = [{"id": kind, "label": kind.replace("_", " ").title(), "type": "standard"} for kind in EVENT_TYPES]
        return Answer.json(200, {"event_types": types})

    def patch(self, request: Request) -> Answer:
        body = request.json()
        check(body)
        if not body:
            raise Unreadable("body must NOT have fewer than 1 properties")
        if hook := self._hook(request.last):
            hook |= body
        return found(hook)

    def delete(self, request: Request) -> Answer:
        with self._lock:
            hook = self._hooks.pop(request.last, None)
        if hook is None:
            return not_found()
        shown = dict(hook)
        hook["status"] = None  # what still waits for it is dropped
        return Answer.json(200, shown)

    def resume(self, request: Request) -> Answer:
        if hook := self._hook(owner(request)):
            hook |= {"status": deliveries.ACTIVE, "timestamp_error": None}
        return found(hook)

    def test(self, request: Request) -> Answer:
        """Deliver at once; here, and only here, the answer waits for the receiver."""
        hook = self._hook(owner(request))
        if hook is None:
            return not_found()
        body: Item = {"timestamp": stamp(), "event_type": "test", "workspace": ORGANIZATION}
        body |= {"campaign_id": hook["campaign"], "campaign_name": None}
        outcome = deliveries.post(hook, body, self.deliveries.timeout_seconds)
        answer: Item = {"success": outcome.success, "response_time_ms": outcome.milliseconds}
        if outcome.status is not None:
            answer["status_code"] = outcome.status
        answer |= {"message": "Webhook test successful"} if outcome.success else {"error": outcome.error}
        return Answer.json(200, answer)

    def tries(self, request: Request) -> Answer:
        first, last = (_date(request, name) for name in ("from", "to"))
        success, search = request.parameter("success"), request.parameter("search")
        return listing(
            [
                tried
                for tried in self.deliveries.tries()
                if success in (None, str(tried["success"]).lower())
                and search in (None, tried["webhook_url"], tried["lead_email"])
                and (first or "") <= str(tried["timestamp_created_date"]) <= (last or "9999")
            ],
            request,
        )

    def one_try(self, request: Request) -> Answer:
        return found(next((tried for tried in self.deliveries.tries() if tried["id"] == request.last), None))

    def _hook(self, identifier: str) -> Item | None:
        with self._lock:
            return self._hooks.get(identifier)


def wants(hook: Item, body: Item) -> bool:
    """Say whether a subscription asks for this event. One to null gets the workspace's own labels."""
    kind = str(body["event_type"])
    asked = hook["event_type"]
    fits = kind not in KINDS if asked is None else asked in (ALL_EVENTS, SUBSCRIBED_AS.get(kind, kind))
    return fits and hook["campaign"] in (None, body["campaign_id"])


def check(body: Item) -> None:
    """Raise Unreadable for what the document does not allow."""
    closed(body, FIELDS)
    for name in ("campaign", "name"):
        if not isinstance(body.get(name), str | None):
            raise Unreadable(f"body/{name} must be string,null")
    if "target_hook_url" in body and not URL.fullmatch(str(body["target_hook_url"])):
        raise Unreadable('body/target_hook_url must match pattern "^https?://"')
    if body.get("event_type") is not None and body["event_type"] not in EVENT_TYPES:
        raise Unreadable("body/event_type must be equal to one of the allowed values")
    headers = body.get("headers")
    if headers is not None and not (
        isinstance(headers, dict) and all(isinstance(value, str) for value in headers.values())
    ):
        raise Unreadable("body/headers must be object of string")


def _date(request: Request, name: str) -> str | None:
    text = request.parameter(name)
    if text is not None and not DATE.fullmatch(text):
        raise Unreadable(f'querystring/{name} must match format "date"')
    return text
