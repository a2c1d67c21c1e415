"""docs/notifications.md against the code: every kind with its severity, and the lines that verify a webhook."""

import re
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from notifications import channels, kinds, retries
from notifications.kinds import KINDS
from tests.breakers import ANN
from tests.integrations.wire import Server
from tests.notifications.receivers import OTHER_SECRET, SECRET, make_channel, tell
from tests.pages import ROOT, part, quoted, rows

PAGE = ROOT / "docs" / "notifications.md"


def test_every_kind_is_on_the_page_with_its_severity() -> None:
    page = {quoted(name)[0]: severity for name, severity, _ in rows(PAGE, "kinds")}
    assert page == {kind.name: kind.severity for kind in KINDS.values()} | {kinds.DIGEST.name: "as its gravest"}


def test_the_waits_between_attempts_are_those_of_the_page() -> None:
    written = re.search(r"tried again\s+after (.+?), then given up", PAGE.read_text(), re.DOTALL)
    assert written
    units = {"s": 1, "min": 60, "h": 3600}
    found = re.findall(r"(\d+) (s|min|h)\b", written[1])
    assert tuple(int(number) * units[unit] for number, unit in found) == retries.WAITS


@pytest.mark.django_db
def test_the_lines_that_verify_a_webhook_do(receiver: Server) -> None:
    code = re.search(r"```python\n(.+?)```", part(PAGE, "verify"), re.DOTALL)
    assert code
    known: dict[str, Any] = {}
    exec(code[1], known)
    channels.test(make_channel(receiver.url), actor=ANN)
    tell()
    request, had = receiver.last, set[str]()
    assert known["take"](request.body, request.headers, SECRET, had) == "Holdfast SANDBOX: A test message, sent by ann"
    assert known["take"](request.body, request.headers, SECRET, had) is None
    with pytest.raises(WebhookVerificationError):
        known["take"](request.body, request.headers, OTHER_SECRET, had)
