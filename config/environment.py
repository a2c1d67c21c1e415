"""Reading the environment: each function takes a variable's name and raises ImproperlyConfigured with that name in it.

The values and their defaults are in config/settings.py.
"""

import math
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from circuitbreakers.rates import RateLimit
from circuitbreakers.rates import parse as parse_rates

env = environ.Env()

LONGEST_CALL = 3600  # seconds; a socket takes no timeout of any size

FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def text(name: str, default: str = "") -> str:
    """The value without white space around it; an empty one means the default, as a missing one does."""
    return str(env.str(name, "")).strip() or default


def flag(name: str, default: bool) -> bool:
    """A yes or a no, in one of the usual words; `ture` must not mean no."""
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
    """A finite number between `minimum` and `maximum`."""
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


def count(name: str, default: int, minimum: int = 0) -> int:
    """A whole number, at least `minimum`."""
    value = number(name, default, minimum)
    if not value.is_integer():
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value:g}.")
    return int(value)


def choice(name: str, default: str, *allowed: str) -> str:
    """One of the `allowed` words."""
    value = env.str(name, default)
    if value not in allowed:
        *others, last = allowed
        raise ImproperlyConfigured(f"{name} must be {', '.join(others)} or {last}, not {value!r}.")
    return value


def vendor(
    service: str, defaults: tuple[str, str, float, float, float], *, live: bool, sandbox_url: str
) -> dict[str, Any]:
    """One vendor's key, base URL (no trailing slash) and timeouts in seconds; `defaults` as in VENDOR_DEFAULTS."""
    sandbox_path, live_url, connect, read, deadline = defaults
    name = service.upper()
    return {
        "api_key": env.str(f"{name}_API_KEY", "" if live else f"sandbox-{service}-key"),
        "base_url": env.str(f"{name}_BASE_URL", live_url if live else f"{sandbox_url}{sandbox_path}").rstrip("/"),
        "connect_timeout": number(f"{name}_CONNECT_TIMEOUT", connect, 0.01, LONGEST_CALL),
        "read_timeout": number(f"{name}_READ_TIMEOUT", read, 0.01, LONGEST_CALL),
        "deadline": number(f"{name}_DEADLINE", deadline, 0.01, LONGEST_CALL),
    }


def rate_limits(service: str, default: str) -> tuple[RateLimit, ...]:
    """The limits in {SERVICE}_RATE_LIMITS, e.g. `200/60,6000/3600,tokens=30000/60`."""
    name = f"{service.upper()}_RATE_LIMITS"
    try:
        return parse_rates(env.str(name, default))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must look like 200/60,tokens=30000/60: {error}.") from error


def throttle(name: str, default: str) -> tuple[int, int]:
    """A limit such as `600/60`: so many requests in so many seconds."""
    text = env.str(name, default)
    count, _, seconds = text.partition("/")
    if not (count.isdecimal() and seconds.isdecimal() and int(count) and int(seconds)):
        raise ImproperlyConfigured(f"{name} must look like 600/60 (requests/seconds), not {text!r}.")
    return int(count), int(seconds)
