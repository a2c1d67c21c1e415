"""The tables of characters: what each lets through and why they differ; and that there are no others."""

import ast
import re

import pytest

from circuitbreakers import characters
from circuitbreakers.characters import (
    IN_A_CELL,
    IN_A_LINE,
    IN_A_LOG,
    IN_A_MAIL,
    IN_A_REASON,
    IN_A_RECORD,
    IN_A_TEMPLATE,
    UNSTORABLE,
)
from tests import modules

TABLES = {name: value for name, value in vars(characters).items() if isinstance(value, re.Pattern)}
NAMES = "Ida Locke, Søren Łuk, 李小龙, دکتر, 👩\u200d🔧, Müller-Lüdenscheidt"
RIGHT_TO_LEFT, LINE_END, BOM, ESCAPE, TAG = "\u202e", "\u2028", "\ufeff", "\x1b", "\U000e0041"


@pytest.mark.parametrize("name", sorted(TABLES))
def test_no_table_lets_nul_through_and_all_let_names_and_spaces(name: str) -> None:
    assert TABLES[name].search("\x00")
    assert name == "IN_A_LOG" or not TABLES[name].search(NAMES)
    assert not TABLES[name].search("Ida Locke, Müller-Lüdenscheidt, 李小龙")


@pytest.mark.parametrize("name", sorted(TABLES.keys() - {"IN_A_CELL"}))
def test_no_half_of_a_character_goes_anywhere(name: str) -> None:
    assert TABLES[name].search("\ud800")
    assert TABLES[name].search("\udfff")


@pytest.mark.parametrize("table", [UNSTORABLE, IN_A_REASON, IN_A_TEMPLATE, IN_A_MAIL])
def test_what_people_read_as_text_keeps_its_lines(table: re.Pattern[str]) -> None:
    assert not table.search("one\ttwo\nthree")


@pytest.mark.parametrize("table", [IN_A_LINE, IN_A_CELL, IN_A_RECORD, IN_A_LOG])
def test_what_is_one_line_has_no_other(table: re.Pattern[str]) -> None:
    assert all(table.search(text) for text in ("\n", "\r", "\t", "\x85"))


@pytest.mark.parametrize("table", [IN_A_MAIL, IN_A_CELL, IN_A_RECORD, IN_A_LOG])
def test_what_a_person_reads_beside_other_text_does_not_turn_it_around(table: re.Pattern[str]) -> None:
    assert table.search(RIGHT_TO_LEFT)
    assert table.search("\u2066")


def test_what_forges_lines_or_hides_is_kept_out_where_that_matters() -> None:
    assert all(table.search(LINE_END) and table.search(BOM) for table in (IN_A_CELL, IN_A_RECORD, IN_A_LOG))
    assert all(table.search(TAG) for table in (IN_A_RECORD, IN_A_LOG))
    assert IN_A_LOG.search("\u200d")
    assert all(table.search(ESCAPE) for table in TABLES.values() if table is not UNSTORABLE)


def test_an_operators_template_may_be_written_from_right_to_left() -> None:
    assert not IN_A_TEMPLATE.search(RIGHT_TO_LEFT)


def test_no_other_module_has_a_table_of_its_own() -> None:
    """DEL or the surrogates are in every such table, written out or escaped."""
    marks = ("\x7f", "-\udfff", r"\x7f", r"-\udfff")
    written = {
        module
        for module, path in modules.paths().items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and any(mark in node.value for mark in marks)
    }
    assert written == {"circuitbreakers.characters"}
