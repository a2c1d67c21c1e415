"""The import table of the house, held against the code: every module, imports inside functions included."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

APPS = ("circuitbreakers", "integrations", "campaigns", "workers")
# importer -> app -> what of it may be imported; an app that is not named is out of reach, None is all of it.
MAY_IMPORT: dict[str, dict[str, tuple[str, ...] | None]] = {
    "circuitbreakers": {},
    "integrations": {"circuitbreakers": ("circuitbreakers.probes", "circuitbreakers.services")},
    "campaigns": {"circuitbreakers": None},
    "workers": {"circuitbreakers": None, "integrations": None, "campaigns": None},
    "config": {"circuitbreakers": None, "integrations": None, "campaigns": None},
}


def modules_of(app: str) -> list[Path]:
    return sorted((Path(settings.BASE_DIR) / app).rglob("*.py"))


def imports_of(source: str, package: tuple[str, ...] = ()) -> Iterator[str]:
    """Dotted names of all that a module imports, wherever in it: `from a.b import c` gives `a.b.c`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join((*package[: len(package) - node.level + 1], *filter(None, [node.module])))
            yield from (f"{base if node.level else node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module":
            yield from (str(part.value) for part in node.args if isinstance(part, ast.Constant))


def is_within(name: str, allowed: str) -> bool:
    return name == allowed or name.startswith(f"{allowed}.")


def wrong_imports(app: str) -> list[str]:
    """`module: name` for each import of an app that the table does not allow."""
    found = []
    for module in modules_of(app):
        path = module.relative_to(settings.BASE_DIR)
        for name in imports_of(module.read_text(), path.parent.parts):
            other = name.partition(".")[0]
            if other == app or other not in APPS:
                continue
            allowed = MAY_IMPORT[app].get(other, ())
            if allowed is not None and not any(is_within(name, one) for one in allowed):
                found.append(f"{path}: {name}")
    return found


@pytest.mark.parametrize("app", MAY_IMPORT)
def test_an_app_imports_only_what_the_table_allows(app: str) -> None:
    assert wrong_imports(app) == []


@pytest.mark.parametrize("app", [*APPS, "config"])
def test_no_module_imports_the_tests(app: str) -> None:
    imported = [name for module in modules_of(app) for name in imports_of(module.read_text())]
    assert imported, "no module was read"
    assert [name for name in imported if is_within(name, "tests")] == []


def is_door(module: Path) -> bool:
    """Commands, API and admin: they take their shape from the project."""
    return module.parent.name == "commands" or module.stem in ("api", "admin")


def test_only_the_doors_of_the_breakers_know_the_project() -> None:
    """Everything else of circuitbreakers would run in another project."""
    known = [
        (module, name)
        for module in modules_of("circuitbreakers")
        for name in imports_of(module.read_text())
        if is_within(name, "config")
    ]
    assert known
    assert [f"{module.name}: {name}" for module, name in known if not is_door(module)] == []


def test_the_reading_of_imports_finds_hidden_ones() -> None:
    source = "def f():\n  from workers import run\n  import campaigns.jobs as j\n  import_module('integrations.http')\n"
    assert set(imports_of(source)) == {"workers.run", "campaigns.jobs", "integrations.http"}
    assert list(imports_of("from ..jobs import add", ("campaigns", "management"))) == ["campaigns.jobs.add"]
