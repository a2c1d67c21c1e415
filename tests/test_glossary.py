"""docs/glossary.md: in the order of the alphabet, each word once, and its home exists."""

import re

from tests.pages import ROOT, scripts

LINE = re.compile(r"^\| ([a-z][a-z -]*) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
WORDS = LINE.findall((ROOT / "docs" / "glossary.md").read_text())


def test_each_word_is_there_once_and_in_order() -> None:
    words = [word for word, _ in WORDS if word != "word"]
    assert len(words) > 40
    assert words == sorted(set(words))


def test_the_home_of_each_word_exists() -> None:
    homes = [home for _, cell in WORDS for home in re.findall(r"`([^`]+)`", cell)]
    assert homes
    assert [home for home in homes if not (home in scripts() or (ROOT / home).exists())] == []
