"""A whole Holdfast of real processes for each module: three worker processes of eight threads, servers of its own."""

import secrets

import pytest
import requests

from local.drill import ENVIRONMENT, Drill
from local.stack import Stack


@pytest.fixture(scope="module")
def drill(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("stack"), env=ENVIRONMENT, processes=3, threads=8, durable=True) as stack:
        drill = Drill(stack)
        yield drill
        drill.database.close()


MAKE_OPERATOR = """
import os, django
django.setup()
from django.contrib.auth.models import User
User.objects.create_superuser("operator", password=os.environ["OPERATORS_PASSWORD"])
"""


@pytest.fixture(scope="module")
def operator(drill):
    """Asks the API, as a person with all rights: `operator(path)` reads, with a `reason` it acts. Answers the data."""
    password = secrets.token_urlsafe()
    drill.stack.python("-c", MAKE_OPERATOR, check=True, OPERATORS_PASSWORD=password)
    session = requests.Session()
    api = f"{drill.stack.web_url}/api/v1"

    def ask(path, **body):
        answer = (
            session.post(f"{api}/{path}", json=body, timeout=30) if body else session.get(f"{api}/{path}", timeout=30)
        )
        assert answer.ok, answer.text
        return answer.json()["data"]

    login = {"username": "operator", "password": password, "name": "acceptance", "days": 1}
    session.headers["Authorization"] = f"Token {ask('auth/token', **login)['token']}"
    yield ask
    session.close()
