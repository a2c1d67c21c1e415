"""A benchmark returns what it measured: its limits as ratios or times first, then a table, then what to know of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Cell = str | int | float


@dataclass(frozen=True)
class Limit:
    """A limit is a measured value and the most that it may be; with `at_least`, the least."""

    what: str
    value: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def kept(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def wanted(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {number(self.limit)} {self.unit}".strip()


@dataclass(frozen=True)
class Measured:
    """The figures of one benchmark. Rows have the same keys, which name the columns and their units."""

    limits: list[Limit]
    rows: Sequence[Mapping[str, Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        return all(limit.kept for limit in self.limits)

    def show(self) -> None:
        """Print the figures for the person at the terminal."""
        for limit in self.limits:
            verdict = "" if limit.kept else "   NOT KEPT"
            print(f"{limit.what}: {number(limit.value)} {limit.unit} ({limit.wanted}){verdict}")
        for row in self.rows:
            print("  " + ", ".join(f"{name} {number(cell)}" for name, cell in row.items()))
        for note in self.notes:
            print(f"  {note}")


def number(cell: Cell) -> str:
    """Write a number with three digits that say something; words stay as they are."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or abs(cell) >= 100:
        return f"{cell:,.0f}"
    return f"{cell:.3f}" if abs(cell) < 1 else f"{cell:.2f}" if abs(cell) < 10 else f"{cell:.1f}"
