"""Which module of ours imports which, read from the code: imports inside functions and for types only included."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOT_SHIPPED = {"tests", "samples"}

Graph = dict[str, frozenset[str]]


def packages() -> list[str]:
    """The folders of the top level that hold modules, whether they say that they are packages or not."""
    folders = (path.parent for path in ROOT.glob("[a-z]*/*.py"))
    return sorted({folder.name for folder in folders} - NOT_SHIPPED)


def name_of(path: Path) -> str:
    """`campaigns/leads/rows.py` -> `campaigns.leads.rows`; a package's `__init__` bears the package's name."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


@cache
def paths() -> dict[str, Path]:
    """Every module of ours but the tests, by its dotted name."""
    files = (path for package in packages() for path in (ROOT / package).rglob("*.py"))
    return {name_of(path.relative_to(ROOT)): path for path in sorted(files)}


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


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def module_of(name: str, known: Iterable[str]) -> str:
    """The module that holds an imported name; "" for what is not ours."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


@cache
def graph() -> Graph:
    """Module -> the modules of ours that it imports."""
    known = paths()
    return {
        module: frozenset(
            target
            for name in imports_of(path.read_text(), path.relative_to(ROOT).parent.parts)
            if (target := module_of(name, known)) and target != module
        )
        for module, path in known.items()
    }


def with_folders(edges: Graph) -> Graph:
    """The same with what Python runs besides: whoever imports `a.b.c` runs `a` and `a.b` first."""
    return {
        module: frozenset(
            part
            for target in targets
            for part in (target, *(target.rsplit(".", depth)[0] for depth in range(1, target.count(".") + 1)))
            if part in edges
        )
        for module, targets in edges.items()
    }


def reached(edges: Graph, start: str) -> dict[str, list[str]]:
    """What `start` reaches over any number of imports, each with the chain that leads there."""
    chains, waiting = {start: [start]}, [start]
    while waiting:
        module = waiting.pop(0)
        for target in sorted(edges.get(module, ())):
            if target not in chains:
                chains[target] = [*chains[module], target]
                waiting.append(target)
    return chains


def circles(edges: Graph) -> list[list[str]]:
    """Modules that reach themselves, grouped with those that they do it through."""
    reach = {module: set(reached(edges, module)) for module in edges}
    groups = {
        tuple(sorted({module} | {other for other in reach[module] if module in reach[other]})) for module in edges
    }
    return sorted(list(group) for group in groups if len(group) > 1)


def between(edges: Graph, parts: Iterable[str]) -> dict[str, set[str]]:
    """Which of these packages imports which other, read off the imports of their modules."""
    names = list(parts)
    arrows: dict[str, set[str]] = {name: set() for name in names}
    for module, targets in edges.items():
        importer = module.partition(".")[0]
        arrows[importer] |= {target.partition(".")[0] for target in targets} - {importer}
    return arrows
