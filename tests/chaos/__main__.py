"""`python -m tests.chaos` runs one experiment and adds it to docs/reliability.json: SEED=, FAULTS=, MINUTES=, ONLY=.

`--report` only writes docs/reliability.md anew. The folder of a run that found something is kept.
"""

import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import report
from tests.chaos.experiment import Experiment
from tests.chaos.faults import table
from tests.chaos.house import House


def main() -> int:
    if "--report" in sys.argv[1:]:
        report.write()
        return 0
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(2**32))
    most, minutes = int(os.environ.get("FAULTS") or 10**6), float(os.environ.get("MINUTES") or 5)
    only = os.environ.get("ONLY", "")
    faults = [fault for name, fault in table().items() if only in name]
    begun = report.circumstances(seed, most, minutes, only)
    folder = Path(tempfile.mkdtemp(prefix="holdfast-chaos-"))
    print(f"{begun['command']} in {folder}", flush=True)
    house = House(folder)
    house.handle_signals()
    started = time.monotonic()
    with house:
        experiment = Experiment(house, seed, say=lambda line: print(line, flush=True))
        experiment.run(most, minutes * 60, faults)
        experiment.rest()
        ended = experiment.books.rows("SELECT state, count(*) FROM leads GROUP BY 1 ORDER BY 1")
        experiment.books.database.close()
    report.keep(
        {
            **begun,
            "seconds": round(time.monotonic() - started),
            "leads": dict(ended),
            "violations": experiment.violations,
            "injected": experiment.as_json(),
        }
    )
    print(f"{len(experiment.done)} faults, violated: {[one['invariant'] for one in experiment.violations]}")
    if experiment.violations:
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
