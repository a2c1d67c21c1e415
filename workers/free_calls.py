"""A free call tells us something and buys nothing: it is made whatever is paused, at the service's own rate.

An opt-out must be honoured during an outage, so neither a pause nor an open breaker holds it back. It leaves the
breaker alone: a listing that works says nothing of a push that does not, and one that fails is asked again later.
"""

import secrets
import time
from collections.abc import Callable
from typing import TypeVar

from circuitbreakers import gate

Answer = TypeVar("Answer")

# Where the gate gives no permit nobody else calls the service either; then this is the pace (seconds).
APART = 0.2
# A call waits so long for its turn and no longer: a vendor may have asked us to stay away for an hour (seconds).
LONGEST_WAIT = 30.0


class NotNow(Exception):
    """The service's rate gives no turn soon, or the vendor itself has asked us to wait. Ask again later."""


def ask(service: str, call: Callable[[], Answer]) -> Answer:
    """Make a free call of `service` and return its answer, in its turn. Raises NotNow, and what `call` raises."""
    permit = in_turn(service)
    try:
        return call()
    finally:
        if permit:
            permit.settle("unknown")  # which the breaker ignores


def in_turn(service: str) -> gate.Permit | None:
    """Wait for the service's rate limits, as far as the gate says them; None where it admits nobody: paused, open,
    unreachable. Raises NotNow."""
    until = time.monotonic() + LONGEST_WAIT
    while True:
        try:
            return gate.admit(service, f"free:{secrets.token_hex(8)}")
        except gate.NotAdmitted as refused:
            if refused.reason != "rate":
                time.sleep(APART)
                return None
            wait = refused.wait or APART
        if time.monotonic() + wait > until:
            raise NotNow(f"{service} is to be called later.")
        time.sleep(wait)
