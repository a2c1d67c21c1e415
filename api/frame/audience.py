"""Pages whose audience is a setting: nobody, whoever may see the breakers, or everybody."""

from api.frame.permissions import EVERYBODY, NOBODY
from circuitbreakers.permissions import VIEW_BREAKER


def audience(exposed_to: str) -> str:
    """The permission that a value of an EXPOSE_* setting stands for."""
    return {"nobody": NOBODY, "login": VIEW_BREAKER, "everybody": EVERYBODY}[exposed_to]
