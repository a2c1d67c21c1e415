"""A wait of the drill that does not end says what stands, from the tables as they are."""

from types import SimpleNamespace

import psycopg
import pytest
from django.db import connection

from local.drill import Drill, Failed


@pytest.mark.django_db(transaction=True)
def test_a_wait_that_does_not_end_says_what_stands():
    params = {name: connection.get_connection_params()[name] for name in ("host", "port", "user", "password", "dbname")}
    drill = Drill(SimpleNamespace(database_url=psycopg.conninfo.make_conninfo(**params)))
    try:
        with pytest.raises(Failed, match="Not within 0 s: the end; incidents: 0, campaigns: "):
            drill.until("the end", lambda: False, within=0)
    finally:
        drill.database.close()
