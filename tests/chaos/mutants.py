"""Small edits that change what a line does: of Python by its syntax tree, of Lua by its words. Each has one place."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Mutant(NamedTuple):
    """From `start` to `end` of the file's text stands `instead`."""

    file: str
    line: int
    start: int
    end: int
    was: str
    instead: str

    def of(self, text: str) -> str:
        return text[: self.start] + self.instead + text[self.end :]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.was} -> {self.instead or '(nothing)'}"


OPPOSITE: dict[type, str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
WORDS = (
    (r"(?<![<>=~])==", "~="), (r"~=", "=="), (r"<=", "<"), (r">=", ">"), (r"(?<= )<(?= )", "<="),
    (r"(?<= )>(?= )", ">="), (r"\band\b", "or"), (r"\bor\b", "and"), (r"\bnot\b ", ""),
    (r"(?<= )\+(?= )", "-"), (r"(?<= )-(?= )", "+"), (r"math\.max", "math.min"), (r"math\.min", "math.max"),
)  # fmt: skip
# A guard of one line, or a statement that writes: left out as a whole.
WHOLE = (
    r"^ *if [^\n]* then return [^\n]* end$",
    r"^ *redis\.call\('(?:HSET|HDEL|DEL|ZADD|ZREM|LTRIM|HSETNX)', [^\n]*\)$",
)


def of_file(root: Path, file: str) -> list[Mutant]:
    """Return all mutants of a file, in the order of their places."""
    text = (root / file).read_text()
    found = of_lua(file, text) if file.endswith(".lua") else of_python(file, text)
    return sorted(set(found), key=lambda one: (one.start, one.end, one.instead))


def of_lua(file: str, text: str) -> Iterator[Mutant]:
    comments = [match.span() for match in re.finditer(r"--[^\n]*", text)]
    for pattern, instead in WORDS:
        for match in re.finditer(pattern, text):
            if not any(start <= match.start() < end for start, end in comments):
                yield mutant(file, text, *match.span(), instead)
    for pattern in WHOLE:
        for match in re.finditer(pattern, text, re.MULTILINE):
            if match[0].count("(") == match[0].count(")"):
                yield mutant(file, text, *match.span(), "")


def of_python(file: str, text: str) -> Iterator[Mutant]:
    lines = [0]
    for line in text.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))

    def span(node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return lines[node.lineno - 1] + node.col_offset, lines[node.end_lineno - 1] + node.end_col_offset

    tree = ast.parse(text)
    # Whether a dataclass is frozen is no decision.
    decorated = {
        id(part) for node in ast.walk(tree) for one in getattr(node, "decorator_list", []) for part in ast.walk(one)
    }
    for node in ast.walk(tree):
        if id(node) in decorated:
            continue
        if isinstance(node, ast.Compare):
            left, right = node.left, node.comparators[0]
            start, end = span(left)[1], span(right)[0]
            yield mutant(file, text, start, end, f" {OPPOSITE[type(node.ops[0])]} ")
        elif isinstance(node, ast.BoolOp):
            start, end = span(node.values[0])[1], span(node.values[1])[0]
            word = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            yield mutant(file, text, start, end, text[start:end].replace(*word))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            start, end = span(node)
            yield mutant(file, text, start, span(node.operand)[0], "")
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool)
        ):
            yield mutant(file, text, *span(node), repr(node.value + 1))
        elif isinstance(node, ast.Constant) and type(node.value) is bool:
            yield mutant(file, text, *span(node), repr(not node.value))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            start, end = span(node.left)[1], span(node.right)[0]
            signs = ("+", "-") if isinstance(node.op, ast.Add) else ("-", "+")
            yield mutant(file, text, start, end, text[start:end].replace(*signs))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and not is_log(node):
            yield mutant(file, text, *span(node), "pass")


def is_log(node: ast.Expr) -> bool:
    return ast.unparse(node).startswith("logger.")


def mutant(file: str, text: str, start: int, end: int, instead: str) -> Mutant:
    was = " ".join(text[start:end].split()) or text[start:end]
    return Mutant(file, text.count("\n", 0, start) + 1, start, end, was, instead)
