"""A log line stays one line of plain characters, and holds no secret, whatever a stranger typed."""

import json
import logging
import re
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.logs import JsonFormatter, TextFormatter
from integrations.redaction import redact

FORGED = "2026-11-01T03:12:00.123Z [WARNING] Queue resumed by admin"
ENDS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200b-\u200f\ud800-\udfff]")
typed = st.text(st.characters() | st.sampled_from("\n\r\x1b\x07\x08\x00\x9b\u2028\u202e\udc80"), max_size=60)


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("web", logging.WARNING, __file__, 1, message, args, None)
    made.__dict__.update(extra)
    return made


@given(typed, typed)
@example(f"jane\n{FORGED}", f"\x1b[31m10.0.0.1\r{FORGED}")
def test_what_is_typed_makes_no_line_of_its_own_and_no_colour(name: str, address: str) -> None:
    line = TextFormatter().format(record("Login of %s refused", name, address=address))
    assert not UNPRINTABLE.search(line)
    assert len(line.splitlines()) == 1
    entry = json.loads(JsonFormatter().format(record("Login of %s refused", name, address=address)))
    assert not UNPRINTABLE.search(entry["message"] + entry["address"])


@given(typed)
@example(f"no\n{FORGED}\n\x1b[2J")
def test_what_an_exception_quotes_looks_like_no_line_of_the_log(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        failed = record("It failed")
        failed.exc_info = sys.exc_info()
    first, *rest = TextFormatter().format(failed).split("\n")
    assert first.endswith("It failed")
    assert all(line.startswith("  | ") for line in rest)
    assert not any(UNPRINTABLE.search(line) for line in rest)
    entry = json.loads(JsonFormatter().format(failed))
    assert not any(UNPRINTABLE.search(line) for line in entry["exception"].split("\n"))


@pytest.mark.parametrize("end", ENDS)
def test_every_line_end_is_written_out(end: str) -> None:
    assert len(TextFormatter().format(record("%s", f"a{end}{FORGED}")).splitlines()) == 1


def test_ordinary_text_is_left_as_it_is() -> None:
    line = TextFormatter().format(record("Campaign %s: Köln, 東京, naïve 'x' \\ | 100 %% paused", 7))
    assert line.endswith("Campaign 7: Köln, 東京, naïve 'x' \\ | 100 % paused")


# --- secrets ----------------------------------------------------------------------------------------------------------

SECRET = "Zx9-hunter2_Qq"
CARRIERS = [
    "Authorization: Token {}", "authorization: token {}", "Authorization: Basic {}", "Authorization: Bearer {}",
    "Authorization: {}", "Proxy-Authorization: Basic {}", "Authorization: Digest username=\"x\", response=\"{}\"",
    "{{'Authorization': 'Token {}', 'Accept': '*/*'}}", '{{"authorization": "Basic {}"}}', "Token {}", "Basic {}",
    "password={}", "password = {}", "PASSWORD: {}", "passwd={}", "pwd={}", "passphrase={}", "new_password1={}&x=1",
    '{{"password": "{}"}}', "{{'password': '{}'}}", "{{'password': b'{}'}}", '{{\\"password\\": \\"{}\\"}}',
    'password="{}"', "('password', '{}')", "password[]={}", "DATABASE_PASSWORD={}", "connect(user='x', password='{}')",
    '"api_key": "{}"', "'api_key': '{}'", "api_key={}", "apiKey: {}", "api-key={}", "OPENAI_API_KEY={}", "?api={}&x=1",
    "?key={}", "X-Api-Key: {}", "x-api-key={}", '{{"key":"{}"}}', "secret={}", "SECRET_KEY={}", "client_secret={}",
    '{{"secret": "{}"}}', "X-Auth-Token: {}", "access_token={}&refresh_token={}", "token={}", "x-access-token: {}",
    "sessionid={}", "Cookie: sessionid={}; csrftoken={}", "Set-Cookie: any={}; Path=/", "csrfmiddlewaretoken={}",
    "X-CSRFToken: {}", "{{'HTTP_AUTHORIZATION': 'Token {}'}}", "{{'HTTP_COOKIE': 'a={}; b={}'}}", "private_key={}",
    "postgres://holdfast:{}@db.example:5432/x", "redis://:{}@cache.example:6379", "credentials={}", "signature={}",
    "password%3D{}&x", "https://x.example/?a=1&access_token={}",
]  # fmt: skip


@pytest.mark.parametrize("carrier", CARRIERS)
@settings(max_examples=10)
@given(secret=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._~+/-]{6,30}[A-Za-z0-9]", fullmatch=True).filter(
    lambda text: re.search("[0-9]", text) and re.search("[A-Z]", text)
))  # fmt: skip
@example(secret=SECRET)
def test_no_carrier_leads_a_secret_into_the_log(carrier: str, secret: str) -> None:
    text = f"Refused: {carrier.replace('{}', secret).replace('{{', '{').replace('}}', '}')}"
    if "://" in carrier and "/" in secret:
        return  # a path begins there
    assert secret not in redact(text)
    assert secret not in TextFormatter().format(record("%s", text))
    assert secret not in json.loads(JsonFormatter().format(record("%s", "x", header=text)))["header"]


@pytest.mark.parametrize(
    "text",
    [
        "tokens=100000/60", "max_output_tokens: 2000", "tokens_in=12 tokens_out=34", '{"total_tokens": 46}',
        "Basic authentication is off", "Key of openai is missing", "Key (campaign_id, email)=(1, x) already exists.",
        "keyword=CTO", "The secretary: Ida", "The token was refused", "password for user holdfast failed",
        "Circuit breaker opened for service openai | service=openai epoch=17", "monkey=banana", "api.example.com/v1",
    ],
)  # fmt: skip
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert redact(text) == text


@given(st.text("passwordtken=:\"'\\ ,;{}&%@/.-_", max_size=4000))
@example("password" * 2000)
@example('\\"' * 4000)
@example("token=" + "'" * 4000)
@example("authorization: a " + ", a=b" * 2000)
@example(":" * 8000)
def test_no_text_holds_the_log_up(text: str) -> None:
    redact(text)
