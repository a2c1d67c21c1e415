"""The short form of `make chaos`: the same seed each time, some faults of each group, then rest and the books."""

import pytest

from tests.chaos.experiment import Experiment
from tests.chaos.faults import table
from tests.chaos.house import House

SEED = 16


@pytest.mark.processes
def test_whatever_breaks_nothing_is_lost_or_done_twice(tmp_path):
    faults = [fault for fault in table().values() if fault.short]
    with House(tmp_path) as house:
        experiment = Experiment(house, SEED)
        try:
            experiment.stock, experiment.batch, experiment.pricks = 60, 80, 3
            experiment.each(faults)
            experiment.rest()
        finally:
            experiment.books.database.close()
    assert experiment.violations == []
    assert {one.fault for one in experiment.done} == {fault.name for fault in faults}
