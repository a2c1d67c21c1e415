"""docs/reliability.md is written from the runs beside it."""

from tests.chaos import report
from tests.chaos.faults import table


def test_the_page_is_what_the_runs_say() -> None:
    wrong = "docs/reliability.md is not what its runs say: python -m tests.chaos --report"
    assert report.PAGE.read_text() == report.page(report.read()), wrong


def test_the_page_names_only_faults_that_there_are() -> None:
    injected = {name for run in report.read()["runs"] for name in run["injected"]}
    assert injected <= set(table())


def test_injections_are_added_up_by_fault() -> None:
    one = {"fault": "Valkey: frozen", "pause": None, "recover": 1.5, "twice": 0, "flagged": 2, "lost": 0}
    added = report.by_fault([one, one | {"pause": 0.1, "flagged": 1}])
    assert added == {
        "Valkey: frozen": {"times": 2, "pause": [0.1], "recover": [1.5, 1.5], "twice": 0, "flagged": 3, "lost": 0}
    }
