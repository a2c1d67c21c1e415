"""`manage.py sandbox` runs the stand-in for the five vendors, in the foreground; `manage.py sandbox emit EVENT EMAIL`
has something happen to a lead in the one that runs."""

import signal
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from integrations.sandbox import NotLoopback, Sandbox
from integrations.sandbox.control import PREFIX
from integrations.sandbox.instantly.events import KINDS

ANSWER_SECONDS = 10.0


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
        verbs = parser.add_subparsers(dest="verb", metavar="VERB")
        emit = verbs.add_parser(
            "emit", help="have an event happen at Instantly, for example: emit lead_unsubscribed ida@acme.example"
        )
        emit.add_argument("event", metavar="EVENT", help=f"one of {', '.join(KINDS)}")
        emit.add_argument("email", metavar="EMAIL", help="a lead that was pushed")
        emit.add_argument("--campaign", default="", metavar="ID", help="in this campaign of Instantly's only")
        emit.add_argument("--copies", type=int, default=1, help="deliver it so many times (default: %(default)s)")
        emit.add_argument(
            "--late-seconds", type=float, default=0, help="it happened so long ago (default: %(default)s)"
        )
        emit.add_argument("--drop", action="store_true", help="it happens, and no webhook is told")
        emit.add_argument("--url", default=settings.SANDBOX_URL, help="the sandbox that runs (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options.get("verb") == "emit":
            self.emit(options)
        else:
            self.serve(options)

    def emit(self, options: dict[str, Any]) -> None:
        order = {name: options[name] for name in ("event", "email", "copies", "late_seconds", "drop")}
        if options["campaign"]:
            order["campaign"] = options["campaign"]
        url = f"{options['url'].rstrip('/')}{PREFIX}/instantly/emit"
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy on the way to this machine
                response = session.post(url, json=order, timeout=ANSWER_SECONDS)
                answer = response.json()
        except (requests.RequestException, ValueError) as error:
            raise CommandError(f"No sandbox answers on {options['url']} ({type(error).__name__}).") from error
        if not response.ok:
            raise CommandError(str(answer.get("detail")))
        self.stdout.write(f"Happened: {answer['events']}. Deliveries on their way: {answer['deliveries']}.")

    def serve(self, options: dict[str, Any]) -> None:
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
