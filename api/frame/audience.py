"""Some pages have a setting for their audience: nobody, whoever may see the breakers, or everybody."""

from api.frame.permissions import EVERYBODY, NOBODY

VIEW = "circuitbreakers.view_breaker"


def audience(exposed_to: str) -> str:
    """Return the permission that a value of an EXPOSE_* setting stands for."""
    return {"nobody": NOBODY, "login": VIEW, "everybody": EVERYBODY}[exposed_to]
