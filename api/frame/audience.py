"""Pages whose audience is a setting: nobody, whoever may see the breakers, or everybody."""

from api.frame.permissions import EVERYBODY, NOBODY

VIEW = "circuitbreakers.view_breaker"


def audience(exposed_to: str) -> str:
    """The permission that a value of an EXPOSE_* setting stands for."""
    return {"nobody": NOBODY, "login": VIEW, "everybody": EVERYBODY}[exposed_to]
