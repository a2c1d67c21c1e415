from decimal import Decimal

import pytest
from pytest_django import Settings

from circuitbreakers.services import SERVICES
from integrations import prices
from integrations.checks import models_have_a_price


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


def test_a_model_without_a_price_is_warned_of(settings: Settings) -> None:
    assert models_have_a_price() == []
    settings.OPENAI_MODEL = "gpt-9"
    (warning,) = models_have_a_price()
    assert (warning.id, warning.msg) == ("holdfast.W02", "OPENAI_MODEL is gpt-9, which has no price.")
    settings.PRICES = {}
    assert len(models_have_a_price()) == 2


def test_a_table_in_the_documented_shape_is_taken() -> None:
    text = '{"apollo": {"credit": "0.02"}, "openai": {"credit": 0, "tokens": {"gpt-5": [1, "2.5"]}}}'
    assert prices.parse(text, SERVICES)["openai"]["tokens"] == {"gpt-5": [1, "2.5"]}
    assert prices.parse("{}", SERVICES) == {}


@pytest.mark.parametrize(
    "text",
    [
        "{broken",
        "[]",
        "7",
        '{"apolo": {"credit": 1}}',
        '{"apollo": 1}',
        '{"apollo": {"credits": 1}}',
        '{"apollo": {"credit": "cheap"}}',
        '{"apollo": {"credit": -1}}',
        '{"apollo": {"credit": NaN}}',
        '{"apollo": {"credit": true}}',
        '{"apollo": {"credit": null}}',
        '{"openai": {"tokens": ["gpt-5"]}}',
        '{"openai": {"tokens": {"gpt-5": 1}}}',
        '{"openai": {"tokens": {"gpt-5": [1]}}}',
        '{"openai": {"tokens": {"gpt-5": [1, [2]]}}}',
    ],
)
def test_a_table_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        prices.parse(text, SERVICES)
