"""The web's access log names no person: a search carries addresses in its query."""

import json
import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from gunicorn.config import Config

from config.accesslog import PlainLogger
from local.stack import ROOT


def command() -> list[str]:
    """What the image runs."""
    _, _, rest = (ROOT / "Dockerfile").read_text().rpartition("\nCMD ")
    words: list[str] = json.loads(rest.replace("\\\n", ""))
    return words


def line(layout: str, **changed: str) -> str:
    """One request in that layout, as gunicorn fills it in."""
    request = SimpleNamespace(headers=[("referer", "https://holdfast.example/admin/?q=jane@acme.example")])
    answer = SimpleNamespace(status="200 OK", sent=512, headers=[])
    environ = {
        "REQUEST_METHOD": "GET",
        "RAW_URI": "/admin/campaigns/lead/?q=jane@acme.example",
        "PATH_INFO": "/admin/campaigns/lead/",
        "QUERY_STRING": "q=jane@acme.example",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_REFERER": "https://holdfast.example/admin/?q=jane@acme.example",
        "HTTP_USER_AGENT": "a browser",
        "REMOTE_ADDR": "10.0.0.1",
        **changed,
    }
    logger = PlainLogger(Config())
    atoms = logger.atoms(answer, request, environ, timedelta(seconds=1))
    return str(layout % logger.atoms_wrapper_class(atoms))


def test_a_request_is_logged_with_its_path_and_without_its_query() -> None:
    words = command()
    layout = words[words.index("--access-logformat") + 1]
    logged = line(layout)
    assert re.fullmatch(r'10\.0\.0\.1 \[.+\] GET /admin/campaigns/lead/ 200 512 1\.000000s "a browser"', logged)
    assert "jane" in line(Config().access_log_format)  # gunicorn's own layout has it


def test_a_path_or_a_browsers_name_makes_no_line_of_its_own() -> None:
    words = command()
    assert words[words.index("--logger-class") + 1] == "config.accesslog.PlainLogger"
    layout = words[words.index("--access-logformat") + 1]
    logged = line(layout, PATH_INFO="/x\n10.0.0.2 [now] POST /forged 200", HTTP_USER_AGENT="\x1b[31m\r\u2028")
    assert len(logged.splitlines()) == 1
    assert "\x1b" not in logged


def test_the_secret_part_of_the_webhooks_path_is_not_logged(settings: Any) -> None:
    settings.INSTANTLY_WEBHOOK_PATH = "kYf3vQm8RzT1xWc6LbN9hJd2GsP5aE7u"
    words = command()
    layout = words[words.index("--access-logformat") + 1]
    logged = line(layout, PATH_INFO="/hooks/instantly/kYf3vQm8RzT1xWc6LbN9hJd2GsP5aE7u/")
    assert "/hooks/instantly/[key]/" in logged


def test_the_local_stack_keeps_no_access_log() -> None:
    source = (ROOT / "local" / "apps.py").read_text()
    assert "access-log" not in source
    assert Config().accesslog is None
