"""Schemathesis against a live server, as viewer and as operator: what it sends comes from docs/openapi.yaml.

$FUZZ_EXAMPLES says how many cases of each kind and operation (default 6).
"""

import os
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from api.models import ApiToken
from tests.breakers import trip
from tests.builders import make_call, make_campaign, make_job, make_user

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.yaml"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))

pytestmark = [pytest.mark.fuzz, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("role", ["viewer", "operator"])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.name.lower())
def test_every_operation_answers_as_the_document_says(
    role: str, mode: GenerationMode, live_server: Any, settings: Any
) -> None:
    settings.THROTTLES = dict.fromkeys(settings.THROTTLES, (10_000_000, 3600))
    _, token = ApiToken.objects.create(user=make_user(role, role), name="fuzz")
    make_call(make_job(make_campaign("RUNNING")))
    trip("openai")
    schema = schemathesis.openapi.from_path(DOCUMENT)
    schema.config.update(base_url=live_server.url)
    schema.config.generation.update(allow_x00=False)  # refused everywhere: test_hostile.py
    operations = [result.ok() for result in schema.get_all_operations()]  # type: ignore[union-attr]
    tried = 0
    for operation in operations:

        @hypothesis_settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: Any) -> None:
            headers = {"Authorization": f"Token {token}"}
            response = case.call(headers=headers)
            excluded: list[Any] = []
            if case.method != "GET":
                # What a change may say is more than a schema can: an address of Apollo's, placeholders, a service.
                excluded.append(positive_data_acceptance)
            if "=&" in f"{response.request.url}&":
                excluded.append(negative_data_rejection)  # as forms send it, a filter left empty filters nothing
            case.validate_response(response, excluded_checks=excluded, headers=headers)

        try:
            check()
        except Unsatisfiable:  # nothing about it could be wrong: no parameter, no body
            continue
        tried += 1
    assert tried > 20
