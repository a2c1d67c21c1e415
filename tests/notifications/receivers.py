"""Where messages arrive in tests: a mailbox behind a real SMTP server, and webhooks that another library reads."""

import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message as Mail
from typing import Any

from aiosmtpd.controller import Controller
from standardwebhooks import Webhook

from local.processes import free_port
from notifications import channels, routing, sending
from notifications.models import Channel, Delivery
from tests.breakers import ANN
from tests.integrations.wire import Server

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
OTHER_SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="
PASSWORD = "pa55word-of-the-mailbox"
numbers = itertools.count(1)


class Mailbox:
    """Keeps what an SMTP server took, in order."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.port = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content))
        return "250 taken"

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=holdfast@example.com&to=ops@example.com"

    @property
    def ids(self) -> list[str]:
        return [str(mail["Message-ID"]) for mail in self.mails]


def subject_of(mail: Mail) -> str:
    return str(make_header(decode_header(mail["Subject"])))


def text_of(mail: Mail) -> str:
    """The plain text of a mail."""
    parts = [part for part in mail.walk() if part.get_content_type() == "text/plain"]
    payload = parts[0].get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


logging.getLogger("mail.log").setLevel(logging.ERROR)  # the server's: each line that it hears and says


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    box.port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


def make_channel(url: str, kind: str = "webhook", secret: str = SECRET, **fields: Any) -> Channel:
    """A channel as the console makes it."""
    channel = Channel(**{"name": f"channel {next(numbers)}", "kind": kind, **fields})
    channels.save(channel, url=url, secret=secret if kind == "webhook" else "", actor=ANN)
    return channel


def verified(server: Server, secret: str = SECRET) -> list[Any]:
    """What the webhooks said, each of them checked by another implementation of the standard."""
    return [Webhook(secret).verify(request.body, request.headers) for request in server.received]


def ids(server: Server) -> list[str]:
    return [request.headers["webhook-id"] for request in server.received]


def tell() -> int:
    """Route and send what is due, as a supervisor does; how many attempts."""
    routing.route()
    return sum(sending.send_due(channel) for channel in sending.due_channels())


def states(channel: Channel) -> list[str]:
    return list(Delivery.objects.filter(channel=channel).order_by("pk").values_list("state", flat=True))
