"""Some pages have a setting for their audience: nobody, whoever may see the breakers, or everybody."""

from api.frame.permissions import EVERYBODY, NOBODY
from circuitbreakers.permissions import VIEW_BREAKER


def audience(exposed_to: str) -> str:
    """Return the permission that a value of an EXPOSE_* setting stands for."""
    return {"nobody": NOBODY, "login": VIEW_BREAKER, "everybody": EVERYBODY}[exposed_to]
