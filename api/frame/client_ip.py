"""Whose request it is, as far as the network can tell."""

from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest

# Bits of an IPv6 address that are its network: one customer has all the others to choose from (RFC 6177).
NETWORK = 64


def address_of(request: HttpRequest) -> str:
    """The client's address. Behind our own proxy it is the last entry of X-Forwarded-For: that one the proxy wrote,
    those before it anybody may have invented. Of IPv6 it is the first address of the /64 network."""
    if settings.BEHIND_PROXY:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        if forwarded:
            return client_of(str(forwarded)[:64])
    return client_of(str(request.META.get("REMOTE_ADDR", "")))


def client_of(text: str) -> str:
    """The address that stands for a client; what is no address stays as it is."""
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    host = 128 - NETWORK
    return str(IPv6Address(int(address) >> host << host))
