"""A breaker's reset waits for a free health call; here it becomes what the breakers want."""

from collections.abc import Callable

from circuitbreakers.probes import ProbeResult
from integrations.errors import VendorError


def probed(proves: str, ask: Callable[[], str]) -> ProbeResult:
    """Return the outcome of `ask`, which returns one sentence or raises VendorError. `proves` says what a success is
    worth."""
    try:
        detail = ask()
    except VendorError as error:
        return ProbeResult(False, "nothing works now that needs this call", error.message, str(error.failure_type))
    return ProbeResult(True, proves, detail)
