"""What runs side by side in `make test`."""

from itertools import chain

from tests.pages import ROOT
from tests.shares import NEXT, SHARE_OF, STACKS, place


def test_every_file_with_a_place_of_its_own_exists_and_has_one_place() -> None:
    named = [*chain(*STACKS), *NEXT]
    assert [file for file in named if not (ROOT / file).is_file()] == []
    assert len(named) == len(set(named))


def test_every_file_that_starts_a_whole_holdfast_is_in_a_share() -> None:
    acceptance = {str(file.relative_to(ROOT)) for file in (ROOT / "tests" / "acceptance").glob("test_*.py")}
    browser = {str(file.relative_to(ROOT)) for file in (ROOT / "tests" / "browser").glob("test_*.py")}
    assert acceptance | browser <= SHARE_OF.keys()
    # They share the package's one house.
    assert len({SHARE_OF[file] for file in browser}) == 1


def test_the_long_come_before_all_others() -> None:
    assert place(f"{STACKS[0][0]}::test_x") < place(f"{NEXT[0]}::test_x") < place("tests/test_shares.py::test_x")
