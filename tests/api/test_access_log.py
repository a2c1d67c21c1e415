"""The web's access log names no person: a search carries addresses in its query."""

import json
import re
from datetime import timedelta
from types import SimpleNamespace

from gunicorn.config import Config
from gunicorn.glogging import Logger

from config.stack import ROOT


def command() -> list[str]:
    """What the image runs."""
    _, _, rest = (ROOT / "Dockerfile").read_text().rpartition("\nCMD ")
    words: list[str] = json.loads(rest.replace("\\\n", ""))
    return words


def line(layout: str) -> str:
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
    }
    logger = Logger(Config())
    atoms = logger.atoms(answer, request, environ, timedelta(seconds=1))
    return str(layout % logger.atoms_wrapper_class(atoms))


def test_a_request_is_logged_with_its_path_and_without_its_query() -> None:
    words = command()
    layout = words[words.index("--access-logformat") + 1]
    logged = line(layout)
    assert re.fullmatch(r'10\.0\.0\.1 \[.+\] GET /admin/campaigns/lead/ 200 512 1\.000000s "a browser"', logged)
    assert "jane" in line(Config().access_log_format)  # gunicorn's own layout has it


def test_the_local_stack_keeps_no_access_log() -> None:
    source = (ROOT / "config" / "stack.py").read_text()
    assert "access-log" not in source
    assert Config().accesslog is None
