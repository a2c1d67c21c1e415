"""A host is judged to be this machine by its name alone: no name is looked up."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address


def is_loopback(host: str) -> bool:
    """Return True for localhost, 127.0.0.0/8, ::1 and 'any address' (0.0.0.0, ::), in every spelling a resolver
    takes."""
    name = host.lower().strip("[]").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return address is not None and (address.is_loopback or address.is_unspecified)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address, None for a name. The system's own reading of 127.1, 2130706433 and 0x7f.1 is the one a
    connection follows."""
    try:
        return ip_address(name)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(name))
    except OSError:
        return None
