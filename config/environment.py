"""Each function reads one variable of the environment, and raises ImproperlyConfigured with its name in it.

The values and their defaults are in config/settings.py.
"""

import math
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

from accounts.company import Company, parse_roles
from circuitbreakers.rates import RateLimit
from circuitbreakers.rates import parse as parse_rates
from integrations.loopback import is_loopback
from integrations.prices import parse as parse_prices

env = environ.Env()
# NAME_FILE names a file with the value of NAME, and wins: secrets are mounted so. Read anew each time: once a process.
env.ENVIRON = FileAwareMapping(cache=False)

# Narrow on purpose: what one parser takes for the host (user@, a backslash) another may not.
URL = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?(/[a-z0-9._~%+/-]*)?", re.IGNORECASE)
LONGEST_CALL = 3600  # seconds; a socket takes no timeout of any size

FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def text(name: str, default: str = "") -> str:
    """Read a value without white space around it; an empty one means the default, as a missing one does."""
    return secret(name).strip() or default


def secret(name: str, default: str = "") -> str:
    """Read a value as it is, with its white space but for the end of a file's line; an empty one means the default."""
    try:
        return str(env.str(name, "")).rstrip("\r\n") or default
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ImproperlyConfigured(f"{name}_FILE names a file that cannot be read: {why}.") from error


def flag(name: str, default: bool) -> bool:
    """Read a yes or a no, in one of the usual words; `ture` must not mean no."""
    word = text(name)
    if not word:
        return default
    if word.lower() not in FLAGS:
        raise ImproperlyConfigured(f"{name} must be true or false, not {word!r}.")
    return FLAGS[word.lower()]


def read_files(*paths: Path) -> None:
    """Add what these files say to the environment, unless READ_DOTENV is off; what is there already wins."""
    for path in paths:
        if flag("READ_DOTENV", True) and path.is_file():
            env.read_env(path)


def number(name: str, default: float, minimum: float = 0, maximum: float = 1e12) -> float:
    """Read a finite number between `minimum` and `maximum`."""
    given = text(name)  # not env.float, which skips what is no digit: 500ms would be 500
    try:
        value = float(given or default)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a number, not {given!r}.") from error
    if not math.isfinite(value):
        raise ImproperlyConfigured(f"{name} must be a finite number, not {given!r}.")
    if not minimum <= value <= maximum:
        raise ImproperlyConfigured(f"{name} must be between {minimum:g} and {maximum:g}, not {value:g}.")
    return value


def count(name: str, default: int, minimum: int = 0, maximum: float = 1e12) -> int:
    """Read a whole number between `minimum` and `maximum`."""
    value = number(name, default, minimum, maximum)
    if not value.is_integer():
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value:g}.")
    return int(value)


def optional_number(name: str) -> float | None:
    """Read a finite number from 0 on; None when there is none."""
    return number(name, 0) if text(name) else None


def some_of(name: str, *allowed: str) -> list[str]:
    """Read a list of some of the `allowed` words, with commas between them; empty by default."""
    given = [word.lower() for word in words(name, [])]
    if wrong := [word for word in given if word not in allowed]:
        raise ImproperlyConfigured(f"{name} must name some of {', '.join(allowed)}, not {wrong[0]!r}.")
    return given


def days_kept(name: str, default: int, least: int) -> int:
    """Read for how many days rows are kept, at least so many; 0: for ever."""
    value = count(name, default, 0, 36_500)
    if 0 < value < least:
        raise ImproperlyConfigured(f"{name} must be 0 (for ever) or at least {least}, not {value}.")
    return value


def choice(name: str, default: str, *allowed: str) -> str:
    """Read one of the `allowed` words and return it in their spelling; capitals do not matter."""
    value = text(name, default)
    for word in allowed:
        if word.lower() == value.lower():
            return word
    *others, last = allowed
    raise ImproperlyConfigured(f"{name} must be {', '.join(others)} or {last}, not {value!r}.")


def words(name: str, default: list[str]) -> list[str]:
    """Read a list with commas between its parts; none is empty."""
    return [part for part in map(str.strip, text(name).split(",")) if part] or default


def url(name: str, default: str) -> str:
    """Read an http(s):// URL without user and query; a closing slash is taken off."""
    value = text(name, default).rstrip("/")
    try:
        fits = URL.fullmatch(value) and urlsplit(value).port != 0
    except ValueError:  # a port of six digits, brackets around nonsense
        fits = False
    if not fits:
        raise ImproperlyConfigured(f"{name} must look like https://host.example/path, not {value!r}.")
    return value


def company_login() -> Company | None:
    """Read the four variables of the company's login: all of them, or none for None."""
    given = {
        "OIDC_ISSUER": text("OIDC_ISSUER"),
        "OIDC_CLIENT_ID": text("OIDC_CLIENT_ID"),
        "OIDC_CLIENT_SECRET": text("OIDC_CLIENT_SECRET"),
        "OIDC_ROLES": text("OIDC_ROLES"),
    }
    if not any(given.values()):
        return None
    if missing := [name for name, value in given.items() if not value]:
        known = ", ".join(name for name, value in given.items() if value)
        raise ImproperlyConfigured(f"{missing[0]} is not set, and {known} of the company's login is.")
    address = url("OIDC_ISSUER", "")
    if not (address.startswith("https://") or is_loopback(urlsplit(address).hostname or "")):
        raise ImproperlyConfigured("OIDC_ISSUER must begin with https://: passwords and tokens go there.")
    try:
        claim, roles = parse_roles(given["OIDC_ROLES"])
    except ValueError as error:
        raise ImproperlyConfigured(
            f"OIDC_ROLES must look like groups: team-a=Viewer, team-b=Operator; {error}."
        ) from error
    return Company(given["OIDC_ISSUER"], given["OIDC_CLIENT_ID"], given["OIDC_CLIENT_SECRET"], claim, roles)


def timezone(name: str, default: str) -> str:
    """Read the name of a time zone that this machine knows; the default is trusted, as zone files may be missing."""
    value = text(name, default)
    try:
        if value != default:
            ZoneInfo(value)
    except (OSError, ValueError, ZoneInfoNotFoundError) as error:
        raise ImproperlyConfigured(f"{name} must be a time zone such as Europe/Berlin, not {value!r}.") from error
    return value


def prices(name: str, default: dict[str, Any]) -> dict[str, Any]:
    """Read a price table as JSON, for services that the default names."""
    given = text(name)
    try:
        return parse_prices(given, default.keys()) if given else default
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a price table as JSON: {error}.") from error


def vendor(
    service: str, defaults: tuple[str, str, float, float, float], *, live: bool, sandbox_url: str
) -> dict[str, Any]:
    """Read a vendor's key ('' when there is none), base URL and timeouts (s); `defaults` as in VENDOR_DEFAULTS."""
    sandbox_path, live_url, connect, read, deadline = defaults
    name = service.upper()
    return {
        "api_key": text(f"{name}_API_KEY", "" if live else f"sandbox-{service}-key"),
        "base_url": url(f"{name}_BASE_URL", live_url if live else f"{sandbox_url}{sandbox_path}"),
        "connect_timeout": number(f"{name}_CONNECT_TIMEOUT", connect, 0.01, LONGEST_CALL),
        "read_timeout": number(f"{name}_READ_TIMEOUT", read, 0.01, LONGEST_CALL),
        "deadline": number(f"{name}_DEADLINE", deadline, 0.01, LONGEST_CALL),
    }


def rate_limits(service: str, default: str) -> tuple[RateLimit, ...]:
    """Read the limits in {SERVICE}_RATE_LIMITS, e.g. `200/60,6000/3600,tokens=30000/60`."""
    name = f"{service.upper()}_RATE_LIMITS"
    try:
        return parse_rates(text(name, default))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must look like 200/60,tokens=30000/60: {error}.") from error


def throttle(name: str, default: str) -> tuple[int, int]:
    """Read a limit such as `600/60`: so many requests in so many seconds."""
    given = text(name, default)
    requests, _, seconds = given.partition("/")
    if not (requests.isdecimal() and seconds.isdecimal() and int(requests) and int(seconds)):
        raise ImproperlyConfigured(f"{name} must look like 600/60 (requests/seconds), not {given!r}.")
    return int(requests), int(seconds)
