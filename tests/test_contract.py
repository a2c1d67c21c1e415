"""docs/contract.md against the code: keys, statements, texts, log lines, paths, bodies, verbs and numbers.

Also every citation of this page and of docs/states.md, wherever it stands.
"""

import json
import re
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class
from django.db import connection

from campaigns import recovery, resume_plan
from campaigns.pipeline import MAX_ATTEMPTS, MAX_CRASHES, after_failure
from circuitbreakers import switch
from circuitbreakers.models import PAUSE_KEYS
from circuitbreakers.policy import OUTCOMES, Policy
from circuitbreakers.services import SERVICES, UnknownService
from circuitbreakers.states import BreakerState
from integrations.sandbox.faults import FAULTS
from tests.pages import (
    CONTRACT,
    ROOT,
    STATES,
    anchors,
    constants,
    first_cells,
    holes,
    log_lines,
    modules,
    part,
    quoted,
    rows,
    scripts,
)

CITED = re.compile(r"\b(contract|states)\.md#([\w-]+)")
CITING = {".py", ".lua", ".md", ".html", ".toml", ".js", ".css"}
# These are not in the OpenAPI document: they hand it out.
UNDESCRIBED = {"/schema", "/docs"}


# --- failure types ----------------------------------------------------------------------------------------------------


OPENS = {
    "success": "never",
    "ignored": "never",
    "failure": "at the threshold",
    "fatal": "at once",
    "rate_limit": "after long throttling",
}


def test_the_outcomes_are_those_of_the_policy_and_do_what_it_says() -> None:
    table = {quoted(row[0])[0]: row[1:] for row in rows(CONTRACT, "outcomes")}
    assert list(table) == list(OUTCOMES)
    for outcome, (_, counts, opens, _, _) in table.items():
        assert counts == ("yes" if OUTCOMES[outcome] in ("failure", "fatal") else "no")
        assert opens == OPENS[OUTCOMES[outcome]]


@pytest.mark.parametrize("outcome", [name for name in OUTCOMES if name not in ("success", "unknown")])
def test_a_failure_does_to_its_job_what_the_table_says(outcome: str) -> None:
    *_, attempt, then = {quoted(row[0])[0]: row for row in rows(CONTRACT, "outcomes")}[outcome]
    first, last = after_failure(outcome, 0), after_failure(outcome, MAX_ATTEMPTS - 1)
    assert attempt == str(first.attempts)
    if first.ends:
        assert then == "FAILED"
    elif last.ends:
        assert then == "tried again with backoff"
    else:
        assert then.startswith("waits")


def test_the_numbers_of_attempts_and_crashes_are_those_of_the_pipeline() -> None:
    text = CONTRACT.read_text()
    assert f"job's {MAX_ATTEMPTS} attempts" in " ".join(text.split())
    assert MAX_ATTEMPTS == 5, "`the fifth failure` in the text"
    assert MAX_CRASHES == 3, "`the third one` in the text"
    waits = [after_failure("timeout", spent, jitter=1).wait for spent in range(MAX_ATTEMPTS - 1)]
    assert f"backoff*: {', '.join(f'{wait:.0f}' for wait in waits)} seconds" in " ".join(text.split())


# --- keys, tables, texts ----------------------------------------------------------------------------------------------


def test_the_keys_are_those_of_the_switch() -> None:
    known = {re.sub(rf":(?:{'|'.join(SERVICES)})$", ":{service}", key) for key in switch.keys("apollo")}
    assert set(first_cells(CONTRACT, "keys")) == known


def test_the_pauses_are_those_that_may_stand() -> None:
    named = {name for row in rows(CONTRACT, "keys") for name in quoted(row[2]) if name == "system" or ":" in name}
    assert named == {key if key in ("system", "operator:all") else "operator:{service}" for key in PAUSE_KEYS}


def test_the_fields_of_a_breaker_are_those_that_are_read_and_written() -> None:
    paragraph = re.search(r"Fields of a breaker:(.*?)There may be more", CONTRACT.read_text(), re.DOTALL)
    assert paragraph
    named = set(quoted(paragraph[1])) - {"closed", "open", "half_open"}
    read = {field.name for field in fields(BreakerState)} - {"service"}
    assert named == read
    written = "\n".join(scripts().values())
    assert [name for name in sorted(named) if f"'{name}'" not in written] == []


@pytest.mark.django_db
def test_the_statements_on_the_page_work() -> None:
    sql = re.search(r"```sql\n(.*?)```", CONTRACT.read_text(), re.DOTALL)
    assert sql
    statements = sql[1].strip().splitlines()
    assert len(statements) >= 4
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_the_texts_in_the_rows_are_those_of_the_code() -> None:
    views = (ROOT / "campaigns/migrations").glob("*.py")
    sources = "\n".join(path.read_text() for path in (*(ROOT / path for path in modules()), *views))
    # SQL puts its text together with ||.
    known = holes(re.sub(r"' \|\| [\w.]+ \|\| '", "{}", sources))
    for row in rows(CONTRACT, "texts"):
        assert holes(quoted(row[2])[0]) in known


# --- log lines --------------------------------------------------------------------------------------------------------


def test_every_log_line_on_the_page_is_one_of_the_code() -> None:
    text = CONTRACT.read_text().partition("<!-- log -->")[2].partition("<!-- end log -->")[0]
    lines = re.findall(r"^\[[A-Z]+\] .+$", text, re.MULTILINE)
    assert len(lines) > 20
    assert [line for line in lines if holes(line) not in log_lines()] == []


# --- HTTP and commands ------------------------------------------------------------------------------------------------


def test_the_paths_and_methods_are_those_of_the_api() -> None:
    document = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
    known = {
        path.removeprefix("/api/v1"): {method.upper() for method in methods}
        for path, methods in document["paths"].items()
    }
    named: set[str] = set()
    for paths, methods, _ in rows(CONTRACT, "paths"):
        here = set(quoted(paths))
        named |= here
        described = [known[path] for path in here - UNDESCRIBED]
        if described:
            assert set(methods.split(", ")) == set().union(*described), paths
    assert named - UNDESCRIBED == set(known)


def bodies() -> list[dict[str, Any]]:
    text = re.search(r"```json\n(.*?)```", CONTRACT.read_text(), re.DOTALL)
    assert text
    return [json.loads(line) for line in text[1].strip().splitlines()]


def test_the_literal_bodies_are_what_the_code_makes() -> None:
    reset, unknown, refused, away, resumed = bodies()
    assert list(reset["data"]) == ["service", "action", "changed", "message"]
    assert unknown["detail"] == str(UnknownService("foo"))
    assert refused["detail"] == str(
        recovery.ResumeRefused("Circuit breakers still open for: apollo (open), perplexity (half_open)")
    )
    assert away["detail"] == f"Error resetting circuit breaker: {switch.RedisUnavailable()}"
    result = recovery.Resumed(
        jobs={"apollo": 45},
        campaigns_eligible=8,
        campaigns_resumed=6,
        services=list(SERVICES),
        errors=["Campaign 7: OperationalError", "Campaign 9: OperationalError"],
    )
    assert resumed["data"] == result.as_dict()


def test_the_prerequisites_of_a_resume_are_named() -> None:
    step = re.search(r"every prerequisite:(.*?)If one fails", CONTRACT.read_text(), re.DOTALL)
    assert step
    made = re.findall(r"Prerequisite\(\s*\"(\w+)\"|\bname = \"(\w+)\"", Path(resume_plan.__file__).read_text())
    assert set(quoted(step[1])) == {one or other for one, other in made}


def test_the_verbs_of_the_commands_are_those_of_the_page() -> None:
    apps = get_commands()
    for name, verbs in ((quoted(row[0])[0], quoted(row[1])) for row in rows(CONTRACT, "commands")):
        command: Any = load_command_class(apps[name], name)
        command.create_parser("manage.py", name)
        assert sorted(command.verbs.choices) == sorted(verbs), name


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_the_times_are_those_of_the_code() -> None:
    for _, seconds, constant in rows(CONTRACT, "timings"):
        name = quoted(constant)[0]
        assert name in constants(), f"{name} does not exist"
        value = str(constants()[name]).removesuffix(" seconds")
        assert float(value) == float(seconds), name


def test_the_defaults_of_a_policy_are_those_of_the_code() -> None:
    assert {quoted(row[0])[0]: int(row[1]) for row in rows(CONTRACT, "policy")} == asdict(Policy())


def test_the_variables_on_the_page_are_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text()
    text = CONTRACT.read_text().partition('<a id="configuration">')[2].partition("<a id=")[0]
    named = [name for name in quoted(text) if re.fullmatch(r"[A-Z][A-Z_]+", name)]
    assert "MODE" in named
    assert [name for name in named if not re.search(rf"^#?{name}=", example, re.MULTILINE)] == []


def test_the_faults_are_those_of_the_sandbox() -> None:
    assert tuple(quoted(part(CONTRACT, "faults"))) == FAULTS


# --- anchors ----------------------------------------------------------------------------------------------------------


def test_every_anchor_that_is_cited_exists_once() -> None:
    known = {page.stem: anchors(page) for page in (CONTRACT, STATES)}
    for names in known.values():
        assert len(names) == len(set(names))
    folders = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    paths = [*ROOT.iterdir(), *(path for folder in folders for path in folder.rglob("*"))]
    wrong = [
        f"{path.relative_to(ROOT)}: {page}.md#{anchor}"
        for path in paths
        if path.suffix in CITING
        for page, anchor in CITED.findall(path.read_text())
        if anchor not in known[page]
    ]
    assert wrong == []


def test_an_anchor_within_a_page_exists() -> None:
    for page in (CONTRACT, STATES):
        assert set(re.findall(r"\]\(#([\w-]+)\)", page.read_text())) <= set(anchors(page))
