"""The control desk's part for Instantly: events, campaigns that do not send, a plan that is used up, hooks that fail
faster."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from integrations.sandbox.exchange import Answer, Request, Unreadable
from integrations.sandbox.faults import number_between
from integrations.sandbox.instantly import deliveries, events, sending
from integrations.sandbox.instantly.mailing import FATES, Life, Mailing, Manner
from integrations.sandbox.instantly.webhooks import Webhooks
from integrations.sandbox.instantly.workspace import PLAN_LEADS, Item, Workspace

MAX_COPIES = 10
YEAR = 366 * 86_400.0
HOUR = 3600.0
MANNER = tuple(field.name for field in fields(Manner))

Verbs = dict[str, Callable[[Request], Answer]]


class Desk:
    """The desk answers `POST emit`; `GET, PUT life`; `GET, PUT hooks`; `PUT sending`; `GET, PUT plan`. Unreadable says
    what is wrong with a body."""

    def __init__(self, workspace: Workspace, webhooks: Webhooks, mailing: Mailing, codes: dict[str, str]) -> None:
        self._workspace = workspace
        self._webhooks = webhooks
        self._mailing = mailing
        self._codes = codes
        self.controls: dict[str, Verbs] = {
            "emit": {"POST": self.emit},
            "life": {"GET": self.get_life, "PUT": self.put_life},
            "hooks": {"GET": self.get_hooks, "PUT": self.put_hooks},
            "sending": {"PUT": self.put_sending},
            "plan": {"GET": self.get_plan, "PUT": self.put_plan},
        }

    def emit(self, request: Request) -> Answer:
        body = _body(request, "event", "email", "campaign", "custom", *MANNER)
        kinds = body.get("event")
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if not isinstance(kinds, list) or not kinds or not all(isinstance(kind, str) and kind for kind in kinds):
            raise Unreadable(f"event must be one of, or a list of, {', '.join(events.KINDS)}.")
        if not body.get("custom") and (unknown := [kind for kind in kinds if kind not in events.KINDS]):
            raise Unreadable(
                f"Unknown event {unknown[0]!r}. There are: {', '.join(events.KINDS)}."
                ' Send "custom": true for a label of the workspace\'s own.'
            )
        email, campaign = (str(body.get(name) or "").strip() for name in ("email", "campaign"))
        if not email and not campaign:
            raise Unreadable("Say to whom: an email, a campaign, or both.")
        if not campaign and any(kind in events.OF_CAMPAIGN for kind in kinds):
            raise Unreadable(f"{' and '.join(events.OF_CAMPAIGN)} are of a campaign: say which.")
        if campaign and self._workspace.campaign(campaign) is None:
            raise Unreadable(f"There is no campaign {campaign!r}.")
        happened, delivered = self._mailing.order(kinds, campaign, email, _manner(body))
        if not happened:
            raise Unreadable("Nobody like that has been pushed.")
        return Answer.json(200, {"events": happened, "deliveries": delivered})

    def get_life(self, _: Request) -> Answer:
        return Answer.json(200, self._mailing.life.as_json())

    def put_life(self, request: Request) -> Answer:
        """Set the life; what the body leaves out goes back to its default, but `on`, which a life that is set is."""
        body = _body(request, "on", *FATES, *MANNER)
        shares: dict[str, Any] = {fate: _number(body, fate, 0.0, 1.0) for fate in FATES}
        if sum(shares.values()) > 1:
            raise Unreadable(f"{', '.join(FATES)} are shares of one whole.")
        self._mailing.live(Life(on=_flag(body, "on", True), manner=_manner(body), **shares))
        return self.get_life(request)

    def get_hooks(self, _: Request) -> Answer:
        """Say how deliveries go: what waits, what was tried, which subscriptions are disabled. No header is shown."""
        tries = self._webhooks.deliveries.tries()
        return Answer.json(
            200,
            {
                "retry_seconds": self._webhooks.deliveries.retry_seconds,
                "timeout_seconds": self._webhooks.deliveries.timeout_seconds,
                "waiting": self._webhooks.deliveries.waiting,
                "delivered": sum(bool(tried["success"]) for tried in tries),
                "failed": sum(not tried["success"] for tried in tries),
                "subscriptions": [{"id": hook["id"], "status": hook["status"]} for hook in self._webhooks.hooks()],
            },
        )

    def put_hooks(self, request: Request) -> Answer:
        """Set the seconds between two tries, and for one."""
        body = _body(request, "retry_seconds", "timeout_seconds")
        retry = _number(body, "retry_seconds", deliveries.RETRY_SECONDS, HOUR)
        timeout = _number(body, "timeout_seconds", deliveries.TIMEOUT_SECONDS, HOUR)
        if not timeout:
            raise Unreadable("timeout_seconds must be more than 0.")
        self._webhooks.deliveries.retry_seconds, self._webhooks.deliveries.timeout_seconds = retry, timeout
        return self.get_hooks(request)

    def put_sending(self, request: Request) -> Answer:
        """Set the status of a campaign, or of all that there are, and the code that says why it does not send."""
        body = _body(request, "campaign", "status", "code")
        status, code, wanted = body.get("status"), body.get("code"), body.get("campaign")
        if isinstance(status, bool) or (status is not None and status not in sending.STATUSES):
            raise Unreadable(f"status must be one of {', '.join(map(str, sending.STATUSES))}, not {status!r}.")
        if code is not None and code not in sending.SENTENCES:
            raise Unreadable(f"code must be null or one of {', '.join(sending.SENTENCES)}, not {code!r}.")
        if wanted is not None and self._workspace.campaign(str(wanted)) is None:
            raise Unreadable(f"There is no campaign {wanted!r}.")
        identifiers = [str(item["id"]) for item in self._workspace.campaigns() if wanted in (None, item["id"])]
        for identifier in identifiers:
            if status is not None:
                self._workspace.order_status(identifier, int(str(status)))
            if code is None:
                self._codes.pop(identifier, None)
            else:
                self._codes[identifier] = str(code)
        return Answer.json(200, {"campaigns": len(identifiers), "status": status, "code": code})

    def get_plan(self, _: Request) -> Answer:
        return Answer.json(200, {"leads": self._workspace.plan, "remaining": self._workspace.remaining})

    def put_plan(self, request: Request) -> Answer:
        """Set how many leads the plan has room for; 0 is a plan that is used up."""
        body = _body(request, "leads")
        self._workspace.plan = int(_number(body, "leads", PLAN_LEADS, 10**9))
        return self.get_plan(request)


def _body(request: Request, *known: str) -> Item:
    body = request.json()
    if unknown := sorted(set(body) - set(known)):
        raise Unreadable(f"Unknown field: {', '.join(unknown)}. Known: {', '.join(sorted(known))}.")
    return body


def _number(body: Item, name: str, default: float, high: float) -> float:
    value = body.get(name, default)
    if not isinstance(value, int | float) or not number_between(value, 0, high):
        raise Unreadable(f"{name} must be a number from 0 to {high:g}, not {value!r}.")
    return value


def _flag(body: Item, name: str, default: bool = False) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise Unreadable(f"{name} must be true or false, not {value!r}.")
    return value


def _manner(body: Item) -> Manner:
    copies = _number(body, "copies", 1, MAX_COPIES)
    if copies < 1 or copies != int(copies):
        raise Unreadable(f"copies must be a whole number from 1 to {MAX_COPIES}, not {copies!r}.")
    return Manner(
        copies=int(copies),
        shuffle=_flag(body, "shuffle"),
        late_seconds=_number(body, "late_seconds", 0.0, YEAR),
        delay_seconds=_number(body, "delay_seconds", 0.0, HOUR),
        drop=_flag(body, "drop"),
    )
