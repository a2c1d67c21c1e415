"""Messages of the release before run under this one, and what this one sends is read by the one before: names, queues
and arguments stay as they are here, to the letter."""

import json
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker

from circuitbreakers import broker
from circuitbreakers.services import SERVICES
from integrations.sandbox import Sandbox
from tests.builders import make_job
from tests.stores import calls_of
from tests.workers.chain import job_of
from workers.dispatch import dispatch

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sandbox")]
# As they were sent: a job's number, and whether it is the one that is tried while everything is paused.
OLD = (
    '{{"queue_name":"{service}","actor_name":"run_{service}","args":[{job}],"kwargs":{{}},"options":{{"redis_message_id":'
    '"0a1b"}},"message_id":"5f0c5d0e-0000-4000-8000-000000000001","message_timestamp":1764000000000}}'
)
LATER = '"options":{"redis_message_id":"0a1b","of_a_later_release":{"x":1}}'


def run(body: str) -> None:
    """Run a message as a worker does: decoded, handed to the actor that it names."""
    message: Any = dramatiq.Message.decode(body.encode())
    actor = dramatiq.get_broker().get_actor(message.actor_name)
    assert actor.queue_name == message.queue_name
    actor(*message.args, **message.kwargs)


@pytest.mark.parametrize("service", SERVICES)
def test_an_old_message_is_run(service: str, sandbox: Sandbox) -> None:
    job = job_of(service)
    run(OLD.format(service=service, job=job.pk))
    job.refresh_from_db()
    assert job.status == "COMPLETED"
    assert len(calls_of(sandbox, service)) == 1


def test_an_old_message_with_an_option_that_nobody_knows_is_run() -> None:
    job = job_of("millionverifier")
    body = OLD.format(service="millionverifier", job=job.pk)
    run(body.replace('"options":{"redis_message_id":"0a1b"}', LATER))
    job.refresh_from_db()
    assert job.status == "COMPLETED"


def test_an_old_message_of_the_one_that_is_tried_is_run() -> None:
    """Nothing stands still, so there is nothing to try: it does nothing, and does not fail."""
    job = make_job(status="COMPLETED")
    run(OLD.format(service="millionverifier", job=job.pk).replace('"kwargs":{}', '"kwargs":{"once":true}'))
    job.refresh_from_db()
    assert job.status == "COMPLETED"


def test_what_is_sent_now_has_the_shape_of_what_was_sent_then() -> None:
    job = make_job(kind="find")
    assert dispatch() == 1
    (body,) = broker.client().hgetall("dramatiq:apollo.msgs").values()
    now, then = json.loads(body), json.loads(OLD.format(service="apollo", job=job.pk))
    assert now.keys() == then.keys()
    for name in ("queue_name", "actor_name", "args", "kwargs"):
        assert now[name] == then[name]
    assert not isinstance(dramatiq.get_broker(), StubBroker)
