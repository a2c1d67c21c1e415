"""A whole Holdfast of real processes for each module: three worker processes of eight threads, servers of its own."""

import pytest

from config.drill import ENVIRONMENT, Drill
from config.stack import Stack


@pytest.fixture(scope="module")
def drill(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("stack"), env=ENVIRONMENT, processes=3, threads=8, durable=True) as stack:
        drill = Drill(stack)
        yield drill
        drill.database.close()
