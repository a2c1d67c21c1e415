"""A call's cost in USD follows from the price table in settings.

    PRICES = {service: {"credit": USD per credit, "tokens": {model: (USD per million in, USD per million out)}}}

A model is found by its longest prefix in the table: vendors answer with dated names (`gpt-5-mini-2025-08-07`).
"""

import json
from collections.abc import Collection
from decimal import Decimal, DecimalException
from typing import Any

from django.conf import settings

MILLION = Decimal(1_000_000)


def cost(
    service: str,
    *,
    credits: Decimal = Decimal(0),
    model: str = "",
    tokens_in: int = 0,
    tokens_out: int = 0,
) -> Decimal:
    """Return the USD for what one call used; what the table does not name costs nothing."""
    prices = settings.PRICES.get(service, {})
    total = credits * Decimal(str(prices.get("credit", 0)))
    if (pair := of_model(service, model)) is not None:
        total += (tokens_in * pair[0] + tokens_out * pair[1]) / MILLION
    return total


def of_model(service: str, model: str) -> tuple[Decimal, Decimal] | None:
    """Return what a million tokens cost, in and out (USD); None if the table does not name the model."""
    models = settings.PRICES.get(service, {}).get("tokens", {})
    listed = max((name for name in models if model.startswith(name)), key=len, default=None)
    if listed is None:
        return None
    per_in, per_out = (Decimal(str(price)) for price in models[listed])
    return per_in, per_out


def parse(text: str, services: Collection[str]) -> dict[str, Any]:
    """Read a price table in the shape above, from JSON, for none but these services. Raises ValueError."""
    table = json.loads(text)
    for service, entry in _mapping(table, "the table").items():
        if service not in services:
            raise ValueError(f"there is no service {service!r}")
        if unknown := _mapping(entry, service).keys() - {"credit", "tokens"}:
            raise ValueError(f"{service} has {sorted(unknown)[0]!r}, which is neither credit nor tokens")
        _check_price(entry.get("credit", 0), service)
        for model, pair in _mapping(entry.get("tokens", {}), f"{service}'s tokens").items():
            if not isinstance(pair, list) or len(pair) != 2:
                raise ValueError(f"{model} needs two prices: in and out")
            for price in pair:
                _check_price(price, model)
    return dict(table)


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    return value


def _check_price(value: Any, what: str) -> None:
    try:
        good = not isinstance(value, bool | list) and 0 <= Decimal(str(value)) < MILLION
    except DecimalException:
        good = False
    if not good:
        raise ValueError(f"{value!r} is no price for {what}")
