"""The control desk under `/_control` says what to break, what was called, what it cost."""

import json
from collections.abc import Callable, Mapping, Sequence

from integrations.sandbox.exchange import Answer, Request, Unreadable
from integrations.sandbox.faults import BadFault, Faults, parse
from integrations.sandbox.ledger import Ledger
from integrations.sandbox.vendor import Vendor

PREFIX = "/_control"


class Control:
    """The desk answers `GET, PUT /{service}` the fault; `GET /calls?since=N`; `GET /bill`; `POST /reset`; and
    below a service's name what its vendor adds."""

    def __init__(self, vendors: Sequence[Vendor], faults: Faults, ledger: Ledger) -> None:
        self._vendors = {vendor.name: vendor for vendor in vendors}
        self._faults = faults
        self._ledger = ledger

    def answer(self, request: Request) -> Answer:
        name = request.path.strip("/")
        added = {
            f"{service}/{path}": verbs
            for service, vendor in self._vendors.items()
            for path, verbs in vendor.controls().items()
        }
        desk: dict[str, Mapping[str, Callable[[Request], Answer]]] = {
            "calls": {"GET": self._calls},
            "bill": {"GET": self._bill},
            "reset": {"POST": self._reset},
            "": {"GET": self._overview},
            **{service: {"GET": self._get, "PUT": self._put} for service in self._vendors},
            **added,
        }
        verbs = desk.get(name)
        if verbs is None:
            names = ", ".join([*self._vendors, *added, "calls", "bill", "reset"])
            return _wrong(404, f"Unknown control {name!r}. There are: {names}.")
        if request.method not in verbs:
            return _wrong(405, f"{PREFIX}/{name} takes {' or '.join(verbs)}, not {request.method}.")
        try:
            return verbs[request.method](request)
        except Unreadable as error:
            return _wrong(400, str(error))

    def _overview(self, _: Request) -> Answer:
        return Answer.json(200, {service: self._faults.get(service).as_json() for service in self._vendors})

    def _get(self, request: Request) -> Answer:
        return Answer.json(200, self._faults.get(request.path.strip("/")).as_json())

    def _put(self, request: Request) -> Answer:
        """Set a fault; what the body leaves out goes back to its default."""
        service = request.path.strip("/")
        try:
            setting = parse(json.loads(request.body or b"{}"), self._vendors[service].faults())
        except BadFault as error:
            return _wrong(400, str(error))
        except ValueError:
            return _wrong(400, "The body is not JSON.")
        self._faults.put(service, setting)
        return Answer.json(200, setting.as_json())

    def _calls(self, request: Request) -> Answer:
        since = request.parameter("since") or "0"
        if not since.isdecimal():
            return _wrong(400, f"since must be the number of a call, not {since!r}.")
        return Answer.json(200, self._ledger.since(int(since)))

    def _bill(self, _: Request) -> Answer:
        bill = self._ledger.bill()
        for service, vendor in self._vendors.items():
            bill[service] |= vendor.bill()
        return Answer.json(200, bill)

    def _reset(self, _: Request) -> Answer:
        self._faults.clear()
        self._ledger.clear()
        for vendor in self._vendors.values():
            vendor.forget()
        return Answer.json(200, {"reset": True})


def _wrong(status: int, detail: str) -> Answer:
    return Answer.json(status, {"detail": detail})
