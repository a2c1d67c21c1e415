"""The IP address of a client tells whose request it is, as far as the network knows."""

from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest

# Bits of an IPv6 address that are its network: one customer has all the others to choose from (RFC 6177).
NETWORK = 64


def client_ip(request: HttpRequest) -> str:
    """Return the IP address of the client; of IPv6 the first one of its /64 network.

    Behind our own proxy it is the last entry of X-Forwarded-For: that one the proxy wrote, those before it anybody may
    have invented.
    """
    if settings.BEHIND_PROXY:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        if forwarded:
            return normalised(str(forwarded)[:64])
    return normalised(str(request.META.get("REMOTE_ADDR", "")))


def normalised(text: str) -> str:
    """Return the IP address that stands for a client; text that is no IP address stays as it is."""
    try:
        ip = ip_address(text)
    except ValueError:
        return text
    if not isinstance(ip, IPv6Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    host = 128 - NETWORK
    return str(IPv6Address(int(ip) >> host << host))
