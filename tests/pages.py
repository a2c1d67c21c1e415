"""The pages that say how Holdfast behaves, and the code, read for the tests that hold one against the other."""

import ast
import itertools
import re
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
CONTRACT, STATES = ROOT / "docs" / "contract.md", ROOT / "docs" / "states.md"
NOT_OURS = {"tests", "bench"}
DOMAIN = ("circuitbreakers", "integrations", "campaigns", "notifications", "workers")
VERB = re.compile(r"`([a-z_]+(?:\.[A-Za-z_]+)+)`")


# --- the pages --------------------------------------------------------------------------------------------------------


def part(page: Path, name: str) -> str:
    """What stands between `<!-- name -->` and the next `<!-- end -->`."""
    text = page.read_text()
    assert text.count(f"<!-- {name} -->") == 1, f"{page.name} has no one part {name!r}"
    return text.partition(f"<!-- {name} -->")[2].partition("<!-- end")[0]


def rows(page: Path, name: str) -> list[list[str]]:
    """The cells of a part's table, without its head."""
    lines = [line for line in part(page, name).splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return table[2:]


def quoted(text: str) -> list[str]:
    """What stands in `code`."""
    return re.findall(r"`([^`]+)`", text)


def first_cells(page: Path, name: str) -> list[str]:
    return [quoted(row[0])[0] for row in rows(page, name)]


def anchors(page: Path) -> list[str]:
    return re.findall(r'<a id="([^"]+)">', page.read_text())


# --- the code ---------------------------------------------------------------------------------------------------------


@cache
def modules() -> dict[Path, ast.Module]:
    """Every module of ours but the tests and migrations, by its path from the root."""
    packages = [path for path in ROOT.iterdir() if (path / "__init__.py").exists() and path.name not in NOT_OURS]
    paths = itertools.chain.from_iterable(package.rglob("*.py") for package in packages)
    return {path.relative_to(ROOT): ast.parse(path.read_text()) for path in paths if "migrations" not in path.parts}


@cache
def scripts() -> dict[str, str]:
    """The Lua scripts by name, without their comments."""
    found = (ROOT / "circuitbreakers" / "scripts").glob("*.lua")
    return {path.name: re.sub(r"--.*", "", path.read_text()) for path in found}


def domain() -> dict[Path, ast.Module]:
    """The modules of the domain without their commands: a door may have a function of the same name."""
    return {
        path: tree for path, tree in modules().items() if path.parts[0] in DOMAIN and "management" not in path.parts
    }


@cache
def defined() -> frozenset[str]:
    """`module.function`, `module.Class` and `module.Class.method` of the domain, whatever folder the module is in."""
    names = set()
    for path, tree in domain().items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(f"{path.stem}.{node.name}")
            if isinstance(node, ast.ClassDef):
                names |= {
                    f"{path.stem}.{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)
                }
    return frozenset(names)


@cache
def constants() -> dict[str, Any]:
    """`module.NAME` -> value, of those that are written as a literal."""
    found = {}
    for path, tree in domain().items():
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                try:
                    found[f"{path.stem}.{node.targets[0].id}"] = ast.literal_eval(node.value)
                except ValueError:
                    continue
    return found


@cache
def strings() -> frozenset[str]:
    """Every string literal, format strings in pieces."""
    nodes = itertools.chain.from_iterable(map(ast.walk, modules().values()))
    return frozenset(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def holes(text: str) -> str:
    """Placeholders of every kind as `{}`: what the page calls {service} is %s in the code."""
    return re.sub(r"%[sdr]|\{[^{}]*\}", "{}", text)


@cache
def log_lines() -> frozenset[str]:
    """`[LEVEL] text` of every call of a logger."""
    found = set()
    for tree in modules().values():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            text = node.args[0]
            if getattr(node.func.value, "id", "") == "logger" and isinstance(text, ast.Constant):
                level = {"exception": "ERROR"}.get(node.func.attr, node.func.attr.upper())
                found.add(holes(f"[{level}] {text.value!s}"))
    return frozenset(found)
