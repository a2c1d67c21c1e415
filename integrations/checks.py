"""System checks find settings that contradict each other, each with an id and a hint."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from circuitbreakers.commands import NO_KEY, WHOM_TO_CALL
from integrations import language_models, prices
from integrations.loopback import is_loopback


@register(WHOM_TO_CALL)
def mode_matches_vendors(**kwargs: Any) -> list[CheckMessage]:
    """Live needs every key and real addresses; the sandbox needs loopback ones, or invented data reaches a vendor."""
    errors: list[CheckMessage] = []
    vendors: dict[str, dict[str, Any]] = settings.VENDORS
    live = settings.MODE == "live"
    for number, (service, vendor) in enumerate(vendors.items()):
        name, url = service.upper(), urlsplit(vendor["base_url"])
        local = is_loopback(url.hostname or "")
        checks = (
            (
                live and not vendor["api_key"],
                NO_KEY,  # and the service's number
                f"{name}_API_KEY is not set.",
                "MODE=live needs every vendor's key.",
            ),
            (
                live and local,
                "holdfast.E02",
                f"{name}_BASE_URL points at this machine.",
                "MODE=live refuses the sandbox. Remove the variable to use the vendor's own address.",
            ),
            (
                not live and not local,
                "holdfast.E03",
                f"{name}_BASE_URL does not point at this machine.",
                "MODE=sandbox talks to a local sandbox only. Set MODE=live to go live.",
            ),
            (
                vendor["deadline"] < vendor["connect_timeout"],
                "holdfast.E04",
                f"{name}_DEADLINE is shorter than {name}_CONNECT_TIMEOUT.",
                "The deadline covers the whole call.",
            ),
            (
                live and not (url.scheme == "https" and url.hostname),
                "holdfast.E05",
                f"{name}_BASE_URL is not https://HOST.",
                "MODE=live sends keys and people's data there. Remove the variable to use the vendor's own address.",
            ),
        )
        errors += [Error(text, hint=hint, id=f"{code}{number}") for wrong, code, text, hint in checks if wrong]
    return errors


@register()
def models_have_a_price(**kwargs: Any) -> list[CheckMessage]:
    """Warn of a model whose calls would be booked at nothing: sums would be too low, and a budget in USD would not
    hold."""
    return [
        Warning(
            f"{service.upper()}_MODEL is {model}, which has no price.",
            hint=f"Name it in PRICES_JSON, under {service}, tokens: its calls are booked at $0 until then.",
            id="holdfast.W02",
        )
        for service in ("perplexity", "openai")
        if prices.of_model(service, model := language_models.ours(service)) is None
    ]


@register()
def live_is_served_over_tls(**kwargs: Any) -> list[CheckMessage]:
    """Warn, and no more, of live mode without TLS: whoever ends TLS elsewhere and sees to the cookies there may
    start."""
    if settings.MODE != "live" or settings.SECURE_SSL_REDIRECT:
        return []
    return [
        Warning(
            "MODE=live with HTTPS off: passwords and sessions cross the network in clear.",
            hint="Set HTTPS=true, and BEHIND_PROXY=true if a proxy of yours speaks TLS.",
            id="holdfast.W01",
        )
    ]
