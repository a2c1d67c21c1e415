"""A channel leads to where an admin says, and may not lead into our own network.

It is asked of the address that a socket really connects to, so that no name can answer one thing to a check and another
to the connection. Python tells of each connection before it is made (`sys.addaudithook`), whichever library makes it:
what raises there keeps it from being made. Only threads that send are asked.
"""

import ipaddress
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Addresses of version 4 in the guise of version 6 (RFC 6052): the last four bytes.
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


class Forbidden(OSError):
    """The target is in a private network that NOTIFY_PRIVATE_HOSTS does not name."""

    def __init__(self, where: str = "") -> None:
        super().__init__(f"{where or 'The target'} is a private address. NOTIFY_PRIVATE_HOSTS may allow it.")


class _Guarded(threading.local):
    """Whether this thread is asked, and what it was kept from; libraries swallow the exception."""

    on = False
    refused = ""


_guarded = _Guarded()
_hooked = threading.Lock()
_hooks: list[object] = []


@contextmanager
def guarded() -> Iterator[None]:
    """Let this thread connect to public and to allowed addresses alone; any other raises Forbidden, an OSError. In here
    and afterwards `refused` tells."""
    with _hooked:
        if not _hooks:  # a hook stays for good, so a process that sends nothing has none
            sys.addaudithook(_hook)
            _hooks.append(_hook)
    _guarded.on, _guarded.refused = True, ""
    try:
        yield
    finally:
        _guarded.on = False


def refused() -> str:
    """Return what this thread was kept from, the last time that it was guarded; '' for nothing."""
    return _guarded.refused


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto") and _guarded.on:
        _guarded.on = False  # what is looked up here is no target
        try:
            check(args[1])
        except Forbidden as error:
            _guarded.refused = str(error)
            raise
        finally:
            _guarded.on = True


def check(address: Any) -> None:
    """Raise Forbidden unless one may connect there: `(host, port, ...)` with an IP address, as sockets take it."""
    try:
        ip, port = ipaddress.ip_address(str(address[0]).partition("%")[0]), int(address[1])
    except (ValueError, TypeError, IndexError):  # a socket in the file system, or a name that was not looked up
        raise Forbidden from None
    if is_private(ip) and not _allowed(ip, port):
        raise Forbidden(str(ip))


def is_private(ip: Address) -> bool:
    """Say whether the address is anything but a public one, in whichever guise."""
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in TRANSLATED:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_private(inner)
    return not ip.is_global or ip.is_multicast


def _allowed(ip: Address, port: int) -> bool:
    """Say whether NOTIFY_PRIVATE_HOSTS names it: a name, an address or a network, with or without a port."""
    for entry in settings.NOTIFY_PRIVATE_HOSTS:
        host, _, wanted = entry.rpartition(":") if entry.rpartition(":")[2].isdecimal() else (entry, "", "")
        if wanted and int(wanted) != port:
            continue
        if ip in _networks(host.strip("[]")):
            return True
    return False


def _networks(host: str) -> set[Address] | ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(host, strict=False)
    except ValueError:
        return set(addresses_of(host))


def addresses_of(host: str) -> list[Address]:
    """Look up a name; nothing if there is none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in found]


def is_forbidden_name(host: str) -> bool:
    """Say whether a name leads to a forbidden address as far as can be seen now, for whoever types it. The connection
    itself is asked again."""
    return any(is_private(ip) and not any(_allowed(ip, port) for port in _ports()) for ip in _addresses(host))


def is_private_name(host: str) -> bool:
    """Say whether a name leads into our own network, as far as can be seen now."""
    found = _addresses(host)
    return bool(found) and all(map(is_private, found))


def _addresses(host: str) -> list[Address]:
    host = host.strip("[]")
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        return addresses_of(host)


def _ports() -> list[int]:
    """Return the ports that the setting names, and one that no entry names."""
    return [
        0,
        *(int(port) for _, _, port in (e.rpartition(":") for e in settings.NOTIFY_PRIVATE_HOSTS) if port.isdecimal()),
    ]
