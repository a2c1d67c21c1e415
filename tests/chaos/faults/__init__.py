"""The faults by name: each is a function that does it and returns when it is over, so that recovery may begin.

A prick is over at once and needs no operator: it is done again and again, with a moment in between. Any other may end
with everything paused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.experiment import Experiment

# False: nothing was there to be hit, and it does not count.
Act = Callable[["Experiment", Random], bool | None]


@dataclass(frozen=True)
class Fault:
    """A fault of a group, such as `Valkey`. `weight`: how often it is drawn; `times`: as often is a prick done at once;
    `short`: it has its place in the short form, too."""

    name: str
    group: str
    act: Act
    weight: int = 2
    times: int = 1
    short: bool = False


TABLE: dict[str, Fault] = {}


def fault(group: str, what: str, *, weight: int = 2, times: int = 1, short: bool = False) -> Callable[[Act], Act]:
    """Enter a function in the table as `group: what`."""

    def enter(act: Act) -> Act:
        name = f"{group}: {what}"
        TABLE[name] = Fault(name, group, act, weight, times, short)
        return act

    return enter


def table() -> dict[str, Fault]:
    """Return all faults."""
    from tests.chaos.faults import people, stores, vendors, work  # noqa: F401

    return TABLE
