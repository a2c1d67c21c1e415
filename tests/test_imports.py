"""The house's floors, held against the code: every module of every package, imports inside functions included.

`UPDATE_DOCS=1 .venv/bin/python -m pytest tests/test_imports.py` draws the packages anew in docs/architecture.md.
"""

import os
import re

import pytest

from tests import modules
from tests.modules import Graph, is_within
from tests.pages import ROOT, quoted, rows

# From the ground up. A package may import those of lower floors, and no other of its own.
FLOORS = (
    ("circuitbreakers", "local", "telemetry"),
    ("campaigns", "integrations", "accounts"),
    ("notifications",),
    ("workers", "api"),
    ("console",),
    ("config", "bench"),
)
FLOOR = {package: floor for floor, packages in enumerate(FLOORS) for package in packages}
# Those that could be taken out and used elsewhere: all that they may import besides themselves.
ONLY = {
    "integrations": ("circuitbreakers.characters", "circuitbreakers.commands", "circuitbreakers.probes"),
    "integrations.sandbox": (),
    "api.frame": (
        "accounts.access",
        *("circuitbreakers.characters", "circuitbreakers.events", "circuitbreakers.permissions"),
        *("circuitbreakers.postgresql", "circuitbreakers.services", "circuitbreakers.switch"),
    ),
}
ARCHITECTURE = ROOT / "docs" / "architecture.md"
DRAWING = re.compile(r"(<!-- packages -->\n```\n).*?(```\n<!-- end -->\n)", re.DOTALL)


def may_import(importer: str, package: str) -> bool:
    return importer == package or FLOOR[package] < FLOOR[importer]


def climbing(edges: Graph) -> list[str]:
    """The chains of imports that leave a module's own and lower floors, each up to where they do."""
    chains = []
    for module in edges:
        importer = module.partition(".")[0]
        for target, chain in modules.reached(modules.with_folders(edges), module).items():
            if not may_import(importer, target.partition(".")[0]):
                chains.append(" -> ".join(chain))
    return chains


def drawing(edges: Graph) -> str:
    """The packages from the top floor down, each with what it imports; a package keeps its column."""
    arrows = modules.between(edges, FLOOR)
    columns = [package for floor in reversed(FLOORS[:-1]) for package in floor]
    width = max(map(len, FLOOR)) + 1
    lines = []
    for floor in reversed(FLOORS):
        for package in floor:
            imported = "  ".join(name if name in arrows[package] else " " * len(name) for name in columns).rstrip()
            arrow = f"{'':─<{width - len(package)}}──> {imported}" if imported else ""
            lines.append(f" {package} {arrow}".rstrip())
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


# --- the code ---------------------------------------------------------------------------------------------------------


def test_every_package_has_its_floor() -> None:
    assert sorted(FLOOR) == modules.packages()


def test_no_chain_of_imports_leads_up_or_across() -> None:
    assert climbing(modules.graph()) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert modules.circles(modules.graph()) == []


@pytest.mark.parametrize("part", ONLY)
def test_what_could_stand_alone_imports_little(part: str) -> None:
    imported = {
        target
        for module, targets in modules.graph().items()
        if is_within(module, part)
        for target in targets
        if not is_within(target, part)
    }
    assert imported == set(ONLY[part])


def test_no_module_but_a_measurement_imports_the_tests() -> None:
    imported = [
        f"{module}: {name}"
        for module, path in modules.paths().items()
        if not is_within(module, "bench")
        for name in modules.imports_of(path.read_text())
        if is_within(name, "tests")
    ]
    assert imported == []


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_drawing_of_the_packages_is_what_the_code_imports() -> None:
    text, drawn = ARCHITECTURE.read_text(), drawing(modules.graph())
    block = DRAWING.search(text)
    assert block, "docs/architecture.md has no place for the drawing of the packages"
    if os.environ.get("UPDATE_DOCS"):
        ARCHITECTURE.write_text(DRAWING.sub(lambda match: f"{match[1]}{drawn}{match[2]}", text))
    else:
        assert block[0].splitlines()[2:-2] == drawn.splitlines()


def test_the_table_of_folders_names_the_same_imports() -> None:
    written = {
        quoted(folder)[0].rstrip("/"): set(quoted(imports)) for folder, _, imports in rows(ARCHITECTURE, "house")
    }
    assert written == modules.between(modules.graph(), FLOOR)


# --- the reading ------------------------------------------------------------------------------------------------------


def test_the_reading_of_imports_finds_hidden_ones() -> None:
    source = "def f():\n  from workers import run\n  import campaigns.jobs as j\n  import_module('integrations.http')\n"
    assert set(modules.imports_of(source)) == {"workers.run", "campaigns.jobs", "integrations.http"}
    assert list(modules.imports_of("from ..jobs import add", ("campaigns", "management"))) == ["campaigns.jobs.add"]


def test_an_imported_name_is_looked_for_in_the_module_that_holds_it() -> None:
    known = {"campaigns", "campaigns.models"}
    assert modules.module_of("campaigns.models.Job", known) == "campaigns.models"
    assert modules.module_of("campaigns.models", known) == "campaigns.models"
    assert modules.module_of("django.db.models", known) == ""


def edges(**imports: str) -> Graph:
    """`edges(campaigns__jobs="workers.run")`; every module that is named is one."""
    named = {module.replace("__", "."): frozenset(targets.split()) for module, targets in imports.items()}
    return {target: frozenset() for targets in named.values() for target in targets} | named


@pytest.mark.parametrize(
    "imports",
    [
        {"campaigns__jobs": "workers.run"},
        {"campaigns__jobs": "integrations.http"},  # across
        {"circuitbreakers__gate": "campaigns.jobs"},
        {"console__live": "config.urls"},
        {"local__up": "circuitbreakers.gate"},
        {"workers__run": "config.logs"},
    ],
)
def test_an_import_of_a_higher_floor_or_across_is_found(imports: dict[str, str]) -> None:
    assert climbing(edges(**imports))


def test_a_chain_is_followed_over_every_folder_that_an_import_runs() -> None:
    chains = climbing(edges(workers__actors="integrations.sandbox.world", integrations__sandbox="config.settings"))
    assert chains == [
        "workers.actors -> integrations.sandbox -> config.settings",
        "integrations.sandbox -> config.settings",
    ]


def test_an_import_of_a_lower_floor_is_none_to_be_found() -> None:
    assert climbing(edges(config__urls="api.health", api__health="circuitbreakers.switch")) == []


def test_a_circle_is_found_with_all_its_modules() -> None:
    circle = edges(a__one="a.two", a__two="a.three a.four", a__three="a.one")
    assert modules.circles(circle) == [["a.one", "a.three", "a.two"]]
