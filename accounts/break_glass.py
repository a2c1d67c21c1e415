"""The break-glass login is the one way in when the company's provider is away. Each use of it is told."""

import logging
from typing import Any

from axes.helpers import get_client_ip_address
from django.conf import settings
from django.http import HttpRequest

from circuitbreakers import events

USED = "break_glass_used"
SEVERITY = "high"

logger = logging.getLogger(__name__)


def tell_of_login(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """Django's signal: somebody has signed in to the console."""
    tell(user, request, door="admin")


def tell(user: Any, request: HttpRequest, *, door: str) -> bool:
    """Put a login of the break-glass user on record, at high severity; False for any other user."""
    name = user.get_username()
    if not settings.BREAK_GLASS_USER or name != settings.BREAK_GLASS_USER:
        return False
    after = {"severity": SEVERITY, "ip_address": get_client_ip_address(request)}
    events.record("user", name[:60], USED, actor=events.Actor(name, door, user.pk), after=after)
    logger.critical("The break-glass login %s was used", name, extra={"actor": name})
    return True
