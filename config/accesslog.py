"""The web's access log: a decoded path is what a stranger typed, and may hold the end of a line."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from gunicorn.glogging import Logger

from config.logs import printable


class PlainLogger(Logger):
    """Writes Gunicorn's log with each value on one line, and no part of the webhook's path that is secret;
    `--logger-class` in the Dockerfile."""

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> dict[str, Any]:
        values = super().atoms(resp, req, environ, request_time)
        return {name: plain(value) if isinstance(value, str) else value for name, value in values.items()}


def plain(text: str) -> str:
    """Return a value of the access log as it may be written."""
    hidden = settings.INSTANTLY_WEBHOOK_PATH
    return printable(text.replace(hidden, "[key]") if hidden else text)
