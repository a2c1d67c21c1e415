"""The sandbox listens on this machine only, and calls nobody else either."""

import contextlib
import ipaddress


class NotLoopback(ValueError):
    """The sandbox was asked to listen where others could reach it, or to call somebody else."""


def is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    return False


def loopback(host: str) -> str:
    """Return the host, if it is this machine's own; raises NotLoopback."""
    if is_loopback(host):
        return host
    raise NotLoopback(f"The sandbox listens on loopback only (127.0.0.1, ::1 or localhost), not on {host!r}.")
