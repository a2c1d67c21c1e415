"""This is what holds for the vendors unless the environment says otherwise: URLs and timeouts, prices, rate limits."""

from datetime import date
from typing import Any

# service: (path below the sandbox, live base URL, connect timeout s, read timeout s, total deadline s).
# Timeouts follow the vendors' published latencies; the deadline ends what a per-read timeout cannot.
VENDOR_DEFAULTS: dict[str, tuple[str, str, float, float, float]] = {
    "apollo": ("/apollo/api/v1", "https://api.apollo.io/api/v1", 5, 30, 40),
    "millionverifier": ("/millionverifier", "https://api.millionverifier.com", 5, 25, 35),
    "perplexity": ("/perplexity", "https://api.perplexity.ai", 5, 90, 100),
    "openai": ("/openai/v1", "https://api.openai.com/v1", 5, 120, 125),
    "instantly": ("/instantly", "https://api.instantly.ai", 5, 60, 70),
}

# USD per credit, and per million tokens in and out by model. A vendor's own cost wins where it sends one. The credit
# prices depend on the plan: put yours into PRICES_JSON, in the same shape; they change figures only, no behaviour.
PRICES_AT = date(2026, 11, 25)  # when they were last looked at
PRICE_DEFAULTS: dict[str, Any] = {
    "apollo": {"credit": "0.025"},
    "millionverifier": {"credit": "0.0037"},
    "perplexity": {"tokens": {"perplexity/sonar": ["1", "1"]}},
    "openai": {
        "tokens": {
            "gpt-6.1-terra": ["1", "5"],
            "gpt-5.6-luna": ["0.20", "1.20"],
            "gpt-5-mini": ["0.25", "2.00"],
        }
    },
    "instantly": {"credit": "0"},
}

# Not every model of OpenAI's supports each. With `default` nothing is said of it, also for a model that does not reason
# and would refuse the request.
REASONING_EFFORTS = ("default", "none", "minimal", "low", "medium", "high", "xhigh", "max")

# Calls per seconds (and tokens per minute) that the gate admits, from the vendors' published limits: Apollo's paid
# search, MillionVerifier's 400/s with room to spare, Perplexity's and OpenAI's tier 1, Instantly's workspace.
RATE_LIMIT_DEFAULTS = {
    "apollo": "200/60,6000/3600",
    "millionverifier": "300/1",
    "perplexity": "3/1,150/60,tokens=100000/60",
    "openai": "500/60,tokens=200000/60",
    "instantly": "100/1,6000/60",
}
