"""A response that a language service has given can be asked for again by its id."""

from collections import OrderedDict

MOST = 2000


class KeptResponses:
    """The last two thousand responses are kept, by id; older ones are forgotten."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[str, dict[str, object]] = OrderedDict()

    def keep(self, response: dict[str, object]) -> None:
        self._by_id[str(response["id"])] = response
        while len(self._by_id) > MOST:
            self._by_id.popitem(last=False)

    def get(self, identifier: str) -> dict[str, object] | None:
        return self._by_id.get(identifier)

    def clear(self) -> None:
        self._by_id.clear()
