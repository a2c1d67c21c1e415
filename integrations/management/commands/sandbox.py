"""`manage.py sandbox` runs the stand-in for the five vendors, in the foreground."""

import signal
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from integrations.sandbox import NotLoopback, Sandbox


class Command(BaseCommand):
    help = "Answers as the five vendors do, on loopback, and keeps a bill. Needs neither database nor Redis."
    # It is started before the stores are up, and must not care whether they are.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        standard = urlsplit(settings.SANDBOX_URL)
        parser.add_argument(
            "--host", default=standard.hostname or "127.0.0.1", help="loopback only (default: %(default)s)"
        )
        parser.add_argument(
            "--port", type=int, default=standard.port or 8090, help="0 takes a free one (default: %(default)s)"
        )
        parser.add_argument("--without-debug", action="store_true", help="start although DEBUG is off")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (settings.DEBUG or options["without_debug"]):
            raise CommandError(
                "DEBUG is off: this looks like production. Add --without-debug to start the sandbox all the same."
            )
        host, port = options["host"], options["port"]
        try:
            sandbox = Sandbox(host, port)
        except NotLoopback as error:
            raise CommandError(str(error)) from error
        except (OSError, OverflowError) as error:
            raise CommandError(
                f"The sandbox cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}."
            ) from error
        signal.signal(signal.SIGTERM, _stop)
        self.stdout.write(f"Sandbox vendors listening on {sandbox.url}")
        self.stdout.flush()
        try:
            sandbox.serve()
        except KeyboardInterrupt:
            pass
        finally:
            sandbox.stop()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
