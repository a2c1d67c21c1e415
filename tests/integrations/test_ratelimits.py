import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from integrations import ratelimits
from integrations.results import RateLimits, RateWindow

NOW = 1_795_400_000.0  # 2026-11-23 02:13:20 UTC


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "30"}, 30.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, 1.5),
        ({"retry-after-ms": "soon", "Retry-After": "2"}, 2.0),
        ({"Retry-After": "Mon, 23 Nov 2026 02:14:20 GMT"}, 60.0),
        # The vendor's clock is wrong, and so is ours; what counts is the difference between its own two.
        ({"Retry-After": "Tue, 01 Jan 2030 00:00:45 GMT", "Date": "Tue, 01 Jan 2030 00:00:00 GMT"}, 45.0),
        ({"Retry-After": "Mon, 23 Nov 2020 00:00:00 GMT"}, 0.0),
        # A duration that a vendor may mean, which is waited for a day at most; above a month it is none.
        ({"Retry-After": "172800"}, 86_400.0),
        ({"Retry-After": "99999999"}, None),
        ({"retry-after-ms": "172800000"}, 86_400.0),
        ({"retry-after-ms": "99999999999"}, None),
        ({"retry-after-ms": "-5"}, 0.0),
        # Instants, as seconds and milliseconds since 1970 and in ISO 8601, held against the answer's own date.
        ({"Retry-After": f"{NOW + 30:.0f}"}, 30.0),
        ({"Retry-After": f"{NOW + 30.5}"}, 30.5),
        ({"Retry-After": f"{(NOW + 30) * 1000:.0f}"}, 30.0),
        ({"Retry-After": f"{NOW - 30:.0f}"}, 0.0),
        ({"Retry-After": f"{NOW + 200_000:.0f}"}, 86_400.0),
        ({"Retry-After": f"{NOW + 999_999_999:.0f}"}, None),
        ({"Retry-After": "1893456045", "Date": "Tue, 01 Jan 2030 00:00:00 GMT"}, 45.0),
        ({"Retry-After": "1893456045000", "Date": "Tue, 01 Jan 2030 00:00:00 GMT"}, 45.0),
        ({"Retry-After": "2030-01-01T00:00:45Z", "Date": "Tue, 01 Jan 2030 00:00:00 GMT"}, 45.0),
        ({"Retry-After": "2026-11-23T02:13:50Z"}, 30.0),
        ({"Retry-After": "2026-11-23T02:13:50.500+00:00"}, 30.5),
        ({"Retry-After": "2026-11-23 03:13:50+01:00"}, 30.0),
        ({"Retry-After": "2026-11-23T02:13:50"}, 30.0),
        ({"Retry-After": "2026-11-23T02:00:00Z"}, 0.0),
        ({"Retry-After": "Tue, 01 Jan 2099 00:00:00 GMT"}, None),
        ({"Retry-After": "2099-01-01T00:00:00Z"}, None),
        # The header twice; the longer wait is the safe one.
        ({"Retry-After": "30, 30"}, 30.0),
        ({"Retry-After": "30,60"}, 60.0),
        ({"Retry-After": "Mon, 23 Nov 2026 02:14:20 GMT, Mon, 23 Nov 2026 02:14:20 GMT"}, 60.0),
        ({"Retry-After": "30, Mon, 23 Nov 2026 02:14:20 GMT"}, 60.0),
        ({"Retry-After": "30, soon"}, None),
        # Units, which a duration in a header of limits has too.
        ({"Retry-After": "30s"}, 30.0),
        ({"Retry-After": "1m30s"}, 90.0),
        ({"Retry-After": "500ms"}, 0.5),
        ({"Retry-After": "30 s"}, 30.0),
        ({"Retry-After": "30 seconds"}, 30.0),
        ({"Retry-After": "2 Minutes"}, 120.0),
        ({"Retry-After": "1 hour"}, 3600.0),
        ({"Retry-After": "PT1M30S"}, 90.0),
        ({"Retry-After": '"30"'}, 30.0),
        ({"Retry-After": "+30"}, 30.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "-30s"}, 0.0),
        ({"Retry-After": "99999999999999999"}, None),
        ({"Retry-After": "-99999999999999999"}, 0.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": f"{(NOW + 9) * 1000:.0f}"}, 9.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "99999999"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "6m0s"}, None),
        ({"x-ratelimit-remaining": "0"}, None),
        *[({"Retry-After": bad}, None) for bad in ("nan", "inf", "1e9", "soon", "", "Mon, 99 Foo 2026", "٣")],
    ],
)
def test_how_long_the_vendor_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert ratelimits.retry_after(CaseInsensitiveDict(headers), NOW) == pytest.approx(seconds)


@given(st.text(max_size=60) | st.from_regex(r"[-+]?[\d ,.:smhTZ-]{1,40}", fullmatch=True))
def test_any_wish_is_read_as_a_wait_of_a_day_at_most_or_not_at_all(value: str) -> None:
    for name in ("retry-after", "retry-after-ms"):
        seconds = ratelimits.retry_after({name: value}, NOW)
        assert seconds is None or 0 <= seconds <= ratelimits.LONGEST_WAIT


def test_a_wish_of_absurd_length_is_refused_quickly() -> None:
    for piece in ("1,", "1s", "Mon, ", "9", "- ", "1 s ", "PT"):
        assert ratelimits.retry_after({"retry-after": piece * 100_000}, NOW) is None


@pytest.mark.parametrize(
    ("headers", "unread"),
    [
        ({}, ""),
        ({"Retry-After": ""}, ""),
        ({"Retry-After": "30"}, ""),
        ({"Retry-After": "soon"}, "soon"),
        ({"Retry-After": "99999999"}, "99999999"),
        ({"retry-after-ms": "soon", "Retry-After": "2"}, "soon"),
        ({"Retry-After": "later", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "9s"}, "later"),
    ],
)
def test_a_wish_that_cannot_be_read_is_known(headers: dict[str, str], unread: str) -> None:
    assert ratelimits.unread(CaseInsensitiveDict(headers), NOW) == unread


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *[("1s", 1.0), ("6m0s", 360.0), ("120ms", 0.12), ("1h2m3.5s", 3723.5), ("1d", 86_400.0), ("12.5", 12.5)],
        *[(str(NOW + 7), 7.0), ("", None), ("s", None), ("1 s", None), ("5x", None), ("-1s", None)],
    ],
)
def test_durations(value: str, seconds: float | None) -> None:
    assert ratelimits.duration(value, NOW) == pytest.approx(seconds)


def test_openai_tells_requests_and_tokens() -> None:
    headers = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "200000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    limits = ratelimits.openai(headers, NOW)
    assert limits == RateLimits(
        (RateWindow("requests", 60.0, 500, 0, 0.12), RateWindow("tokens", 60.0, 200_000, 0, 360.0))
    )
    assert limits.wait == 360.0


def test_a_window_that_perplexity_does_not_name_stays_unknown() -> None:
    limits = ratelimits.openai({"x-ratelimit-limit": "1", "x-ratelimit-remaining": "1"}, NOW)
    assert limits == RateLimits((RateWindow("requests", None, 1, 1, None),))


def test_apollo_tells_three_windows_under_old_and_new_names() -> None:
    headers = {
        "x-rate-limit-minute": "200",
        "x-minute-requests-left": "0",
        "x-rate-limit-hourly": "",
        "x-hourly-requests-left": "",
        "x-rate-limit-daily": "600",
        "x-daily-requests-left": "599",
    }
    limits = ratelimits.apollo(headers)
    assert limits == RateLimits(
        (RateWindow("requests", 60.0, 200, 0, None), RateWindow("requests", 86_400.0, 600, 599, None))
    )
    assert limits.wait == 60.0


@pytest.mark.parametrize("headers", [{}, {"x-rate-limit-minute": "many", "x-ratelimit-limit-requests": "-1"}])
def test_headers_that_say_nothing(headers: dict[str, str]) -> None:
    assert ratelimits.apollo(headers) is None
    assert ratelimits.openai(headers, NOW) is None
