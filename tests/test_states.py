"""docs/states.md against the code: every state and every verb, and nothing that moves without being there."""

import itertools
import re

import pytest
from django.db import models

from campaigns.models import Campaign, Job, Lead
from circuitbreakers.models import Incident
from circuitbreakers.states import BreakerState
from tests.pages import ROOT, STATES, VERB, defined, first_cells, modules, part, quoted, rows, scripts, strings

MACHINES = ("breaker", "queue", "campaign", "job", "lead", "incident")


def states_in_code() -> dict[str, set[str]]:
    """The states as models and scripts know them."""
    text = "\n".join(scripts().values())
    breaker = set(re.findall(r"transition\('(\w+)'", text)) | {BreakerState("apollo").state}
    queue = set(re.findall(r"'(ACTIVE|PAUSED)'", text))
    times = {field.name for field in Incident._meta.fields if isinstance(field, models.DateTimeField) and field.null}
    # What has happened to an incident is a time; acknowledging it moves nothing.
    incident = {"open", *(name.removesuffix("_at") for name in times - {"acknowledged_at"})}
    return {
        "breaker": breaker,
        "queue": queue,
        "campaign": set(Campaign.Status.values),
        "job": set(Job.Status.values),
        "lead": set(Lead.State.values),
        "incident": incident,
    }


@pytest.mark.parametrize("machine", MACHINES)
def test_the_states_on_the_page_are_those_of_the_code(machine: str) -> None:
    named = first_cells(STATES, f"states of {machine}")
    assert len(named) == len(set(named))
    assert set(named) == states_in_code()[machine]


@pytest.mark.parametrize("machine", MACHINES)
def test_every_verb_exists_and_moves_between_states_of_the_page(machine: str) -> None:
    known = set(first_cells(STATES, f"states of {machine}"))
    for before, after, verb, event, _ in rows(STATES, f"verbs of {machine}"):
        assert set(quoted(before)) | set(quoted(after)) <= known
        names = VERB.findall(verb)
        assert names, f"no verb in {verb!r}"
        for name in names:
            assert name in (scripts() if name.endswith(".lua") else defined()), f"{name} does not exist"
        for name in quoted(event):
            assert name in strings() or name.upper() in known, f"no event is called {name}"


@pytest.mark.parametrize("machine", MACHINES)
def test_a_state_that_can_be_left_or_reached_is_in_a_verbs_row(machine: str) -> None:
    moves = rows(STATES, f"verbs of {machine}")
    reached = set(itertools.chain.from_iterable(quoted(row[0]) + quoted(row[1]) for row in moves))
    assert set(first_cells(STATES, f"states of {machine}")) <= reached


def test_every_script_that_moves_a_breaker_or_the_queue_is_in_its_table() -> None:
    tables = {machine: part(STATES, f"verbs of {machine}") for machine in ("breaker", "queue")}
    for name, text in scripts().items():
        if name == "common.lua":
            continue
        opens = re.search(r"\bopen\(", text)
        if opens or "transition(" in text:
            assert f"`{name}`" in tables["breaker"], f"{name} moves a breaker"
        if opens or "pause_all(" in text or re.search(r"'HSET', STATUS", text):
            assert f"`{name}`" in tables["queue"], f"{name} moves the queue"


def test_one_script_alone_writes_active() -> None:
    assert [name for name, text in scripts().items() if re.search(r"HSET.*'ACTIVE'", text)] == ["activate.lua"]


# What makes or moves rows: Django or SQL that sets the column to a state.
MOVES = {
    "campaign": re.compile(r"(?<!def )\bmove\(|status=Campaign\.Status\.PAUSED, status_message"),
    "job": re.compile(
        r"\bupdate\(\s*status=JobRow\.Status|UPDATE job_rows SET status|INSERT INTO job_rows |"
        r"\"status\": JobRow\.Status"
    ),
    "lead": re.compile(r"UPDATE leads SET state|INSERT INTO leads |\bupdate\(\s*state=|Lead\.objects\.create"),
}


@pytest.mark.parametrize("machine", MOVES)
def test_every_module_that_moves_a_row_is_in_the_table_of_its_kind(machine: str) -> None:
    named = {name.partition(".")[0] for name in VERB.findall(part(STATES, f"verbs of {machine}"))}
    moving = {path.stem for path in modules() if MOVES[machine].search((ROOT / path).read_text())}
    assert moving, "nothing moves"
    assert moving <= named


def test_every_verb_of_a_campaigns_life_is_in_the_table() -> None:
    public = {name for name in defined() if re.fullmatch(r"lifecycle\.[a-z]\w*", name)}
    assert public <= set(VERB.findall(part(STATES, "verbs of campaign")))
