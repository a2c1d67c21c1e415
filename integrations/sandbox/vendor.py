"""The five vendors share one shape, and a call goes the same way through any of them."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from integrations.sandbox.exchange import Answer, Request, Unreadable
from integrations.sandbox.faults import FAULTS, Fault, Setting

Credential = Literal["good", "missing", "bad", "unscoped"]


def judge(key: str | None) -> Credential:
    """Any key is good except `bad-key` and keys that begin with `invalid`; one that begins with `unscoped` is valid but
    may call nothing that needs a scope."""
    if not key:
        return "missing"
    if key == "bad-key" or key.startswith("invalid"):
        return "bad"
    return "unscoped" if key.startswith("unscoped") else "good"


class Balance:
    """A balance is a vendor's own count of what is left. Safe to use from many threads."""

    def __init__(self, credits: int) -> None:
        self.credits = credits
        self._lock = threading.Lock()
        self._spent = 0

    def spend(self, units: int) -> None:
        with self._lock:
            self._spent += units

    def refill(self) -> None:
        with self._lock:
            self._spent = 0

    @property
    def left(self) -> int:
        return max(0, self.credits - self._spent)


def always(request: Request) -> bool:
    """Say of a route that whatever it is asked is a question beside the work."""
    return True


@dataclass(frozen=True, slots=True)
class Route:
    """A route is one endpoint. `{id}` in the path stands for one segment.

    `paid`: it costs credits, tokens or quota, so it is what an exhausted balance stops. `probe`: a free health call.
    `keys` names whom a request is about; `asks` tells a question beside the work, which is free and no job's call.
    """

    method: str
    path: str
    handler: Callable[[Request], Answer]
    paid: bool = False
    probe: bool = False
    keys: Callable[[Request], list[str]] = lambda _: []
    asks: Callable[[Request], bool] = lambda _: False

    def matches(self, method: str, path: str) -> bool:
        mine, theirs = self.path.split("/"), path.rstrip("/").split("/")
        return (
            method == self.method
            and len(mine) == len(theirs)
            and all(part in ("{id}", seen) for part, seen in zip(mine, theirs, strict=True))
        )


class Failing(NamedTuple):
    """This is a call that a fault hits."""

    request: Request
    route: Route
    setting: Setting


class Vendor:
    """A vendor module fills this in: its routes, how it refuses a key, and one method per fault.

    A fault method returns None where the fault does not show on that route, which then answers as usual.
    """

    name: ClassVar[str]
    prefix: ClassVar[str]
    # Whether the work behind a call whose answer never leaves (fault `timeout`) is done and billed all the same.
    bills_unheard: ClassVar[bool]
    hides_failures: ClassVar[bool] = True

    routes: list[Route]

    def refuse(self, request: Request, route: Route | None) -> Answer | None:
        """Return the vendor's answer to missing or wrong credentials, or None when they will do."""
        raise NotImplementedError

    def not_found(self, request: Request) -> Answer:
        raise NotImplementedError

    def unreadable(self, reason: str) -> Answer:
        """Return the answer to a body that is no JSON object."""
        raise NotImplementedError

    def dress(self, answer: Answer, request: Request) -> Answer:
        """Add the headers that the vendor sends with every answer."""
        raise NotImplementedError

    def server_error(self, failing: Failing) -> Answer | None:
        raise NotImplementedError

    def rate_limit(self, failing: Failing) -> Answer | None:
        raise NotImplementedError

    def quota_exhausted(self, failing: Failing) -> Answer | None:
        raise NotImplementedError

    def bad_key(self, failing: Failing) -> Answer | None:
        raise NotImplementedError

    def html(self, failing: Failing) -> Answer | None:
        raise NotImplementedError

    def silent(self, failing: Failing) -> Answer | None:
        raise NotImplementedError

    def forget(self) -> None:
        """Drop what calls have left behind."""

    def controls(self) -> Mapping[str, Mapping[str, Callable[[Request], Answer]]]:
        """Return what else can be ordered at the control desk, below the vendor's name: a path and its verbs."""
        return {}

    def stop(self) -> None:
        """End what runs beside the calls."""

    def bill(self) -> dict[str, object]:
        """Return what the vendor adds to its bill."""
        return {}

    def faults(self) -> frozenset[str]:
        return frozenset(FAULTS) - (frozenset() if self.hides_failures else {"silent"})

    def route(self, request: Request) -> Route | None:
        return next((route for route in self.routes if route.matches(request.method, request.path)), None)

    def is_probe(self, request: Request, route: Route | None) -> bool:
        """Say whether this is a health call, or a question beside the work; what cannot be read is neither."""
        try:
            return route is not None and (route.probe or route.asks(request))
        except Unreadable:
            return False

    def keys(self, request: Request, route: Route | None) -> list[str]:
        """Say whom the request is about; nobody when it cannot be read."""
        try:
            return route.keys(request) if route else []
        except Unreadable:
            return []

    def answer(self, request: Request, fault: Fault, setting: Setting) -> Answer:
        """Return the whole answer to one call. `timeout` and `connection_reset` are left to the server."""
        return self.dress(self._answer(request, fault, setting), request)

    def _answer(self, request: Request, fault: Fault, setting: Setting) -> Answer:
        route = self.route(request)
        if refusal := self.refuse(request, route):
            return refusal
        if route is None:
            return self.not_found(request)
        broken = {
            "server_error": self.server_error,
            "rate_limit": self.rate_limit,
            "quota_exhausted": self.quota_exhausted,
            "bad_key": self.bad_key,
            "html": self.html,
            "silent": self.silent,
        }.get(fault)
        try:
            if broken and (answer := broken(Failing(request, route, setting))):
                return answer
            answer = route.handler(request)
        except Unreadable as error:
            return self.unreadable(str(error))
        # The answer was ready, and paid for, when it broke on its way.
        return answer.cut() if fault == "malformed" else answer
