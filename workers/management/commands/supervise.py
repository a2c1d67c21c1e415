"""`manage.py supervise` runs the loop that finishes what anyone left unfinished."""

import logging
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from workers.startup import check_keys
from workers.supervisor import in_background, supervise

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Finish what anyone left unfinished: cascades, resets, leases, dispatch. Run as many as you like."

    def handle(self, *args: Any, **options: Any) -> None:
        stopped: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, frame: stopped.append(received))
        logger.info("Supervisor in %s mode", settings.MODE.upper())
        if settings.MODE == "live":
            in_background(check_keys)
        supervise(lambda: bool(stopped))
