"""`make sabotage` takes out guards by their text: each is where the list says, once, and its test is there."""

import pytest

from tests.chaos.guards import GUARDS, ROOT


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.keeps)
def test_a_guard_is_there_once_and_so_is_its_test(guard):
    assert (ROOT / guard.file).read_text().count(guard.text) == 1
    assert (ROOT / guard.test.partition("::")[0]).exists()
    assert guard.instead != guard.text


def test_no_two_guards_keep_the_same():
    assert len({guard.keeps for guard in GUARDS}) == len(GUARDS)
