"""The list of files that a sixth vendor touches (docs/vendors.md) against where a vendor is named in the code."""

import io
import re
import tokenize
from functools import cache
from pathlib import Path

from django.conf import settings

from circuitbreakers.services import SERVICES
from tests.workers.chain import KINDS

ROOT = Path(settings.BASE_DIR)
APPS = ("circuitbreakers", "integrations", "campaigns", "notifications", "workers", "api", "console", "local", "config")
NOT_PYTHON = (".env.example", "Makefile", "compose.yaml", "Dockerfile")
# Nothing in the house has a reason to name this one that would not hold for a sixth.
PLAIN = "millionverifier"
# The step that its paid call is made in.
STEPS = KINDS


def listed(service: str) -> set[str]:
    """The files of the table, for this service."""
    text = (ROOT / "docs" / "vendors.md").read_text()
    table = text.partition("<!-- sixth -->")[2].partition("<!-- end -->")[0]
    names = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    return {name.format(service=service, step=STEPS[service]) for name in names}


def code_of(source: str) -> str:
    """Names and strings of a module; what it says in comments and docstrings is no coupling."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return "\n".join(
        token.string
        for token in tokens
        if token.type == tokenize.NAME or (token.type == tokenize.STRING and not token.string.startswith('"""'))
    )


@cache
def texts() -> dict[Path, str]:
    """The code of every file of the house, without its comments."""
    modules = [path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts]
    code = {path: code_of(path.read_text()).lower() for path in modules}
    return code | {ROOT / name: (ROOT / name).read_text().lower() for name in NOT_PYTHON}


def naming(service: str) -> set[str]:
    """Files whose code names it."""
    return {str(path.relative_to(ROOT)) for path, text in texts().items() if service in text}


def test_every_place_that_names_a_service_is_in_the_list_and_the_list_names_no_other() -> None:
    assert naming(PLAIN) == listed(PLAIN)


def test_the_list_holds_for_every_service() -> None:
    for service in SERVICES:
        assert listed(service) <= naming(service)


def test_what_a_comment_says_is_no_coupling() -> None:
    source = '"""About apollo."""\n# openai\nx = "instantly"\nperplexity = 1\n'
    assert [service for service in SERVICES if service in code_of(source)] == ["perplexity", "instantly"]
