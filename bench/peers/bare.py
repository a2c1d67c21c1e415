"""Bare Dramatiq: the same HTTP call from an actor, and nothing else: no row, no breaker, no ledger. The limit."""

import os
import threading

import dramatiq
import requests
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=os.environ["BENCH_REDIS_URL"], middleware=[]))
local = threading.local()
URL = os.environ["BENCH_SANDBOX_URL"] + "/millionverifier/api/v3/"


@dramatiq.actor(queue_name="bare")
def call(number: int) -> None:
    """One verification, over a connection that each thread keeps."""
    if not hasattr(local, "session"):
        local.session = requests.Session()
    parameters = {"api": "sandbox", "email": f"bare{number}+ok@acme.example", "timeout": "10"}
    answer = local.session.get(URL, params=parameters, timeout=10)
    answer.raise_for_status()
    answer.json()
