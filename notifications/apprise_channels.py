"""Apprise speaks to mail, chats and pagers. It is let loose only on kinds of target that we know, in our own network on
none, follows no redirect, reads no file, and its logs are ours to redact."""

import logging
import re
import threading
from typing import Any
from urllib.parse import unquote, urlsplit

import apprise
from apprise.plugins.email import base as email_base
from django.conf import settings

from integrations.redaction import redact
from notifications import guard, texts
from notifications.models import Message
from notifications.sealing import Target
from notifications.webhooks import DeliveryFailed

TIMEOUT = 10.0  # seconds to connect, and for each answer
# Parameters that name files of this machine, or switch off what we insist on.
REFUSED_PARAMETERS = frozenset({"template", "pgp", "pgppub", "pgpprv", "wkd", "redirect", "attach", "retry", "wait"})
NOTIFY_TYPES = {
    "info": apprise.NotifyType.INFO,
    "warning": apprise.NotifyType.WARNING,
    "critical": apprise.NotifyType.FAILURE,
}
# Where the host of the URL is a server's name; elsewhere it is a secret, and not to be looked up.
SELF_HOSTED = frozenset({"mmost", "mmosts", "rocket", "rockets", "gotify", "gotifys"})
SHORTEST_PART = 4  # of a URL that may be a secret; shorter ones would blank out ordinary words


class _Current(threading.local):
    """What this thread is sending, and what Apprise said of it."""

    message_id = ""
    said: list[str] | None = None


_current = _Current()


class _Listener(logging.Handler):
    """Keeps what Apprise says of a failure, for the thread that sends; nothing of it goes to our log."""

    def emit(self, record: logging.LogRecord) -> None:
        if _current.said is not None and record.levelno >= logging.WARNING:
            _current.said.append(record.getMessage())


logging.getLogger("apprise").addHandler(_Listener())
_mail: Any = email_base  # typed as if nobody might replace anything in it
_new_id = _mail.make_msgid


def _message_id(*args: Any, **kwargs: Any) -> str:
    """Return a mail's Message-ID: the message's own in each attempt, so that a mailbox knows it again."""
    return _current.message_id or _new_id(*args, **kwargs)


_mail.make_msgid = _message_id


def schema_of(url: str) -> str:
    return url.partition("://")[0].strip().lower()


def wrong_url(url: str) -> str:
    """Say why there can be no channel to that URL; '' if nothing speaks against it."""
    schema = schema_of(url)
    if schema not in settings.NOTIFY_SCHEMAS:
        return f"{schema or 'Nothing'}:// is not among NOTIFY_SCHEMAS: {', '.join(settings.NOTIFY_SCHEMAS)}."
    names = {unquote(name).lower() for name in re.findall(r"[?&]([^=&]+)", url)}
    if refused := sorted(names & REFUSED_PARAMETERS):
        return f"Parameters that are not taken: {', '.join(refused)}."
    plugin = _plugin(url)
    if plugin is None:
        return "Apprise does not understand this URL."
    host = getattr(plugin, "smtp_host", None) or (getattr(plugin, "host", None) if schema in SELF_HOSTED else None)
    return str(guard.Forbidden(host)) if host and guard.is_forbidden_name(host) else ""


def send(target: Target, message: Message) -> None:
    """Send a message. Raises DeliveryFailed unless Apprise says that it was taken."""
    plugin: Any = _plugin(target.url) if schema_of(target.url) in settings.NOTIFY_SCHEMAS else None
    if plugin is None:
        raise DeliveryFailed(wrong_url(target.url) or "Apprise does not understand its URL.")
    host = urlsplit(settings.WEB_URL).hostname or "holdfast"
    _current.message_id, _current.said = f"<{message.pk.hex}@{host}>", []
    try:
        with guard.guarded():
            taken = plugin.notify(
                body=message.body, title=texts.title_of(message), notify_type=NOTIFY_TYPES[message.severity]
            )
        if not taken:
            said = _without_secrets(target.url, " ".join(_current.said))
            raise DeliveryFailed(guard.refused() or said or "It was not taken.")
    except DeliveryFailed:
        raise
    except Exception as error:  # noqa: BLE001  (a hundred plugins; whatever they raise, the message did not arrive)
        raise DeliveryFailed(f"Apprise failed ({type(error).__name__}).") from None
    finally:
        _current.message_id, _current.said = "", None


def _plugin(url: str) -> Any:
    """Return Apprise's object for the URL, None if there is none."""
    asset = apprise.AppriseAsset(
        app_id="Holdfast",
        app_desc="Holdfast",
        async_mode=False,
        storage_mode="memory",
        allow_templates=False,
        secure_logging=True,
    )
    plugin = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if plugin is not None:
        plugin.redirects = False
        plugin.socket_connect_timeout = plugin.socket_read_timeout = TIMEOUT
    return plugin


def _without_secrets(url: str, text: str) -> str:
    """Take every part of the URL out of a text, then what else looks like a secret."""
    parts = {unquote(part) for part in re.split(r"[/:@?&=,;\s]+", url.partition("://")[2])}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= SHORTEST_PART:
            text = text.replace(part, "[...]")
    return redact(text)
