"""Who runs what in `make test`: a file stays in one process, and at most two whole Holdfasts run at a time.

Files that start one wait much and are hard on the cores in between. Three side by side would miss their times; two
leave the other processes something to compute beside.
"""

from xdist.scheduler import LoadScopeScheduling

# Of about the same length, longest file first.
STACKS = (
    (
        "tests/acceptance/test_budgets.py",
        "tests/acceptance/test_drill.py",
        "tests/acceptance/test_full_flight.py",
        "tests/acceptance/test_ramps.py",
        "tests/acceptance/test_restore.py",
        "tests/acceptance/test_rolling_deploy.py",
        "tests/acceptance/test_being_told.py",
        "tests/acceptance/test_outage_log.py",
        "tests/acceptance/test_outcomes.py",
        "tests/acceptance/test_prometheus.py",
        "tests/acceptance/test_swallowed_answers.py",
    ),
    (
        # Both with the package's one house.
        "tests/browser/test_first_day.py",
        "tests/browser/test_login.py",
        "tests/browser/test_looks.py",
        "tests/browser/test_mails.py",
        "tests/browser/test_story.py",
        "tests/browser/test_third_night.py",
        "tests/browser/test_what_comes_back.py",
        "tests/browser/test_what_failed.py",
        "tests/acceptance/test_left_alone.py",
        "tests/acceptance/test_connections.py",
        "tests/chaos/test_experiment.py",
        "tests/acceptance/test_frozen.py",
        "tests/local/test_up.py",
        "tests/api/test_story.py",
    ),
)
SHARE_OF = {file: f"stacks {number}" for number, files in enumerate(STACKS, 1) for file in files}
# Long and always computing: begun next, so that no process is left alone with one at the end.
NEXT = (
    "tests/api/test_fuzz.py",
    "tests/workers/test_rounds.py",
    "tests/workers/test_fault_table.py",
    "tests/workers/test_secrets.py",
    "tests/api/test_authorisation.py",
    "tests/circuitbreakers/test_machine.py",
    "tests/chaos/test_crash_points.py",
)
ORDER = {file: place for place, file in enumerate((*(file for files in STACKS for file in files), *NEXT))}


def file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def place(nodeid: str) -> int:
    """Where a test comes; within a place the order stays."""
    return ORDER.get(file_of(nodeid), len(ORDER))


class Shares(LoadScopeScheduling):
    """xdist's `loadfile`, with the files of a share taken for one."""

    def _split_scope(self, nodeid: str) -> str:
        return SHARE_OF.get(file_of(nodeid), file_of(nodeid))
