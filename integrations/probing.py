"""The free health calls that a breaker's reset waits for, as the breakers want them."""

from collections.abc import Callable

from circuitbreakers.probes import ProbeResult
from integrations.errors import VendorError


def probed(proves: str, ask: Callable[[], str]) -> ProbeResult:
    """The outcome of `ask`, which returns one sentence or raises VendorError. `proves` says what a success is worth."""
    try:
        detail = ask()
    except VendorError as error:
        return ProbeResult(False, "nothing works now that needs this call", error.message, str(error.failure_type))
    return ProbeResult(True, proves, detail)
