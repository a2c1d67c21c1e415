"""docs/performance.md is written from the figures beside it, and says of each limit whether it is kept."""

from bench import report
from bench.measured import Limit, Measured


def test_the_page_is_what_the_figures_say() -> None:
    wrong = "docs/performance.md is not what its figures say: python -m bench --report"
    assert report.PAGE.read_text() == report.page(report.read()), wrong


def test_every_benchmark_has_figures() -> None:
    assert tuple(report.read()) == report.ALL


def test_a_limit_is_the_most_or_the_least() -> None:
    assert Limit("pause", 0.2, 0.2).kept
    assert not Limit("pause", 0.21, 0.2).kept
    assert Limit("rate", 2.5, 2.5, at_least=True).kept
    assert not Limit("rate", 2.4, 2.5, at_least=True).kept


def test_one_limit_that_is_not_kept_is_enough() -> None:
    kept, broken = Limit("pause", 0.1, 0.2), Limit("resume", 0.3, 0.2)
    assert Measured([kept]).kept
    assert not Measured([kept, broken]).kept


def test_the_page_names_a_limit_that_is_not_kept() -> None:
    figures = {"pause": {"limits": [{"what": "pause", "value": 0.3, "limit": 0.2, "unit": "s", "at_least": False}]}}
    assert "| pause | 0.300 s | at most 0.200 s | **no** | `pause` |" in report.limits(figures)
