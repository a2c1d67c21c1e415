from decimal import Decimal

import pytest
from pytest_django import Settings

from circuitbreakers.services import SERVICES
from integrations import prices


def test_a_model_is_priced_by_its_longest_prefix(settings: Settings) -> None:
    settings.PRICES = {"openai": {"tokens": {"gpt-5": ("9", "9"), "gpt-5-mini": ("0.25", "2.00")}}}
    assert prices.cost("openai", model="gpt-5-mini-2025-08-07", tokens_in=4_000_000) == 1
    assert prices.cost("openai", model="gpt-5-2025-08-07", tokens_out=1_000_000) == 9


def test_credits_may_be_fractional(settings: Settings) -> None:
    settings.PRICES = {"apollo": {"credit": 0.1}}
    assert prices.cost("apollo", credits=Decimal("1.5")) == Decimal("0.15")


@pytest.mark.parametrize("table", [{}, {"openai": {}}, {"openai": {"tokens": {"gpt-4": ("1", "1")}}}])
def test_what_the_table_does_not_name_costs_nothing(settings: Settings, table: object) -> None:
    settings.PRICES = table
    assert prices.cost("openai", model="gpt-5-mini", credits=Decimal(3), tokens_in=5) == 0


def test_the_price_table_names_every_service_and_its_model(settings: Settings) -> None:
    assert settings.PRICES.keys() == set(SERVICES)
    assert prices.cost("openai", model=settings.OPENAI_MODEL, tokens_in=1, tokens_out=1) > 0
    assert prices.cost("perplexity", model=settings.PERPLEXITY_MODEL, tokens_in=1, tokens_out=1) > 0
