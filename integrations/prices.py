"""What a call costs in USD, from the price table in settings.

    PRICES = {service: {"credit": USD per credit, "tokens": {model: (USD per million in, USD per million out)}}}

A model is found by its longest prefix in the table: vendors answer with dated names (`gpt-5-mini-2025-08-07`).
"""

from decimal import Decimal

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
    """USD for what one call used; what the table does not name costs nothing."""
    prices = settings.PRICES.get(service, {})
    total = credits * Decimal(str(prices.get("credit", 0)))
    models = prices.get("tokens", {})
    known = max((name for name in models if model.startswith(name)), key=len, default=None)
    if known is not None:
        per_in, per_out = (Decimal(str(price)) for price in models[known])
        total += (tokens_in * per_in + tokens_out * per_out) / MILLION
    return total
