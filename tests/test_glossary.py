"""docs/glossary.md: in the order of the alphabet, each word once, and its home exists; so does every file that any
document names."""

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


# What is no file of ours: a placeholder, and names of what another project has.
NAMED = re.compile(r"`(?:[\w{}./-]+/)?(\w+\.(?:py|lua|md|yaml|css|js))`")
PLACEHOLDERS = {"SERVICE.py"}


def test_every_file_that_the_documents_name_exists() -> None:
    there = {path.name for path in ROOT.rglob("*") if ".venv" not in path.parts}
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    named = {(page.name, name) for page in pages for name in NAMED.findall(page.read_text())}
    assert len(named) > 40
    assert {pair for pair in named if pair[1] not in there | PLACEHOLDERS} == set()
