"""The environment is documented, and a wrong value stops the process with a message that names it."""

import json
import os
import re
import secrets
import subprocess
import sys

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import choice, company_login, count, days_kept, flag, number, secret, text, url, vendor, words
from config.hardening import weak_webhook
from local.stack import ROOT

MODULES = ("environment.py", "settings.py", "stores.py")
EXAMPLE = (ROOT / ".env.example").read_text()
READS = re.compile(
    r'(?:env(?:\.\w+)?|text|secret|flag|number|count|days_kept|throttle|choice|database|redis_server|words|url|timezone|prices|optional_number|some_of)\(\s*"([A-Z_]+)"'
)
PER_SERVICE = re.compile(r'f"\{(?:name|service\.upper\(\))\}_([A-Z_]+)"')


def test_every_variable_that_the_settings_read_is_in_the_example():
    source = "".join((ROOT / "config" / name).read_text() for name in MODULES)
    listed = set(re.findall(r"^#?([A-Z_]+)=", EXAMPLE, re.MULTILINE))
    read = set(READS.findall(source))
    for service in ("APOLLO", "MILLIONVERIFIER", "PERPLEXITY", "OPENAI", "INSTANTLY"):
        read |= {f"{service}_{suffix}" for suffix in PER_SERVICE.findall(source)}
    assert len(read) > 40
    assert read - listed == set()
    assert listed - read == set()


def test_every_variable_that_compose_wants_is_in_the_example():
    wanted = set(re.findall(r"\$\{([A-Z_]+):\?", (ROOT / "compose.yaml").read_text()))
    assert wanted == {"MODE", "ALLOWED_HOSTS", "WEB_URL"}  # secrets are files
    assert wanted <= set(re.findall(r"^#?([A-Z_]+)=", EXAMPLE, re.MULTILINE))


def settings_with(**environment):
    """All settings as a process with these variables has them."""
    code = (
        "import json, config.settings as s;"
        "print(json.dumps({k: v for k, v in vars(s).items() if k.isupper()}, default=repr))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.processes
def test_a_copy_of_the_example_says_what_holds_without_it(tmp_path, monkeypatch):
    copy = tmp_path / ".env"
    copy.write_text(re.sub(r"^#(?=[A-Z_]+=)", "", EXAMPLE, flags=re.MULTILINE))
    told = {}
    monkeypatch.setattr(environ.Env, "ENVIRON", told)
    environ.Env.read_env(copy)
    assert len(told) > 60
    needed = {name: os.environ[name] for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "ALLOWED_HOSTS")}
    for name in told:
        monkeypatch.delenv(name, raising=False)
    needed["READ_DOTENV"] = "false"
    without = settings_with(MODE="live", **needed)
    assert settings_with(**{**told, **needed}) == without
    assert without["SECURE_SSL_REDIRECT"] is True


def test_a_value_is_read_from_the_file_that_is_named_and_that_wins(monkeypatch, tmp_path):
    (tmp_path / "key").write_text(" a key \n")
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "key"))
    assert (text("OPENAI_API_KEY"), secret("OPENAI_API_KEY")) == ("a key", " a key ")


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_cannot_be_read_is_refused_by_name(monkeypatch, tmp_path, content):
    if content:
        (tmp_path / "key").write_bytes(content)
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(
        ImproperlyConfigured, match=r"^OPENAI_API_KEY_FILE names a file that cannot be read: "
    ) as refused:
        text("OPENAI_API_KEY")
    assert "key" not in str(refused.value).partition(":")[2]


@pytest.mark.processes
def test_a_process_starts_with_nothing_but_files_for_secrets(monkeypatch, tmp_path):
    key = secrets.token_urlsafe(50)
    (tmp_path / "key").write_text(f"{key}\n")
    (tmp_path / "password").write_text("p@ss/word:%\n")
    monkeypatch.delenv("SECRET_KEY")
    found = settings_with(
        SECRET_KEY_FILE=str(tmp_path / "key"),
        DATABASE_URL="postgres://holdfast@db.example/holdfast",
        POSTGRES_PASSWORD_FILE=str(tmp_path / "password"),
        REDIS_URL="redis://redis.example:6379",
        REDIS_PASSWORD_FILE=str(tmp_path / "password"),
    )
    assert found["SECRET_KEY"] == key
    assert found["DATABASES"]["default"]["PASSWORD"] == "p@ss/word:%"
    assert found["REDIS_SWITCH_URL"] == "redis://:p%40ss%2Fword%3A%25@redis.example:6379/0"


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        (("true", "True", "1", "yes", "on", " ON "), True),
        (("false", "FALSE", "0", "no", "off"), False),
    ],
)
def test_a_flag_takes_the_usual_words(monkeypatch, words, meaning):
    for word in words:
        monkeypatch.setenv("HTTPS", word)
        assert flag("HTTPS", not meaning) is meaning


@pytest.mark.parametrize("default", [True, False])
def test_an_empty_or_missing_flag_is_the_default(monkeypatch, default):
    monkeypatch.setenv("HTTPS", " ")
    assert flag("HTTPS", default) is default
    monkeypatch.delenv("HTTPS")
    assert flag("HTTPS", default) is default


@pytest.mark.parametrize(("given", "value"), [("0.5", 0.5), (" 3 ", 3), ("1e3", 1000), ("", 7)])
def test_a_number_is_read_as_it_is_written(monkeypatch, given, value):
    monkeypatch.setenv("REDIS_TIMEOUT", given)
    assert number("REDIS_TIMEOUT", 7) == value


@pytest.mark.parametrize("given", ["500ms", "1,5", "ten", "nan", "inf", "-inf", "1e999", "-1", "1e13", "0x10"])
def test_what_is_no_number_in_range_is_refused_by_name(monkeypatch, given):
    monkeypatch.setenv("REDIS_TIMEOUT", given)
    with pytest.raises(ImproperlyConfigured, match=r"^REDIS_TIMEOUT must be "):
        number("REDIS_TIMEOUT", 7)


def test_a_count_has_no_fraction(monkeypatch):
    monkeypatch.setenv("IMPORT_MAX_ROWS", "1e6")
    assert count("IMPORT_MAX_ROWS", 5) == 1_000_000
    monkeypatch.setenv("IMPORT_MAX_ROWS", "2.5")
    with pytest.raises(ImproperlyConfigured, match=r"^IMPORT_MAX_ROWS must be a whole number, not 2\.5\.$"):
        count("IMPORT_MAX_ROWS", 5)


@pytest.mark.parametrize(
    "given",
    [
        "nonsense",
        "ftp://holdfast.example",
        "https://",
        "https://holdfast.example:99999",
        "https://holdfast.example:0",
        "https://[::zz]",
        "https://[:::::]",
        "https://ann@holdfast.example",
        "https://127.0.0.1\\@holdfast.example",
        "https://holdfast.example?x=1",
        "https://holdfast.example # the site",
        "https://holdfäst.example",
    ],
)
def test_what_is_no_plain_url_is_refused_by_name(monkeypatch, given):
    monkeypatch.setenv("WEB_URL", given)
    with pytest.raises(ImproperlyConfigured, match=r"^WEB_URL must look like "):
        url("WEB_URL", "http://127.0.0.1:8000")


@pytest.mark.parametrize(
    "given", ["http://127.0.0.1:8000", "https://holdfast.example/a/", "http://[::1]:80", "http://web_1", " http://x "]
)
def test_a_url_loses_its_closing_slash_and_nothing_else(monkeypatch, given):
    monkeypatch.setenv("WEB_URL", given)
    assert url("WEB_URL", "") == given.strip().rstrip("/")


def test_an_empty_url_is_the_default(monkeypatch):
    monkeypatch.setenv("WEB_URL", "")
    assert url("WEB_URL", "http://127.0.0.1:8000") == "http://127.0.0.1:8000"


def test_a_vendors_key_is_stripped_and_a_blank_one_is_missing(monkeypatch):
    defaults = ("/apollo", "https://api.apollo.example", 1, 2, 3)
    monkeypatch.setenv("APOLLO_BASE_URL", " ")
    for given, key in ((" a-key ", "a-key"), ("  ", ""), ("", "")):
        monkeypatch.setenv("APOLLO_API_KEY", given)
        found = vendor("apollo", defaults, live=True, sandbox_url="http://127.0.0.1")
        assert (found["api_key"], found["base_url"]) == (key, "https://api.apollo.example")


def test_rows_are_kept_for_ever_or_for_so_long_that_nobody_needs_them(monkeypatch):
    assert days_kept("KEEP_JOBS_DAYS", 365, 100) == 365
    for given in ("0", "100", "3650"):
        monkeypatch.setenv("KEEP_JOBS_DAYS", given)
        assert days_kept("KEEP_JOBS_DAYS", 365, 100) == int(given)
    monkeypatch.setenv("KEEP_JOBS_DAYS", "99")
    with pytest.raises(
        ImproperlyConfigured, match=r"^KEEP_JOBS_DAYS must be 0 \(for ever\) or at least 100, not 99\.$"
    ):
        days_kept("KEEP_JOBS_DAYS", 365, 100)


def test_a_choice_is_spelt_as_we_do(monkeypatch):
    monkeypatch.setenv("LOG_LEVEL", "info")
    assert choice("LOG_LEVEL", "DEBUG", "DEBUG", "INFO") == "INFO"
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(ImproperlyConfigured, match=r"^LOG_LEVEL must be DEBUG or INFO, not 'loud'\.$"):
        choice("LOG_LEVEL", "DEBUG", "DEBUG", "INFO")


def test_a_list_has_no_white_space_and_nothing_empty(monkeypatch):
    monkeypatch.setenv("ALLOWED_HOSTS", " a.example, b.example ,,")
    assert words("ALLOWED_HOSTS", ["x"]) == ["a.example", "b.example"]
    monkeypatch.setenv("ALLOWED_HOSTS", " , ")
    assert words("ALLOWED_HOSTS", ["x"]) == ["x"]


def manage(**environment):
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.processes
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODE", "production"),
        ("DATABASE_URL", "sqlite:///db.sqlite3"),
        ("REDIS_URL", "redis://127.0.0.1:6379/3"),
        ("DATABASE_URL", "junk"),
        ("DATABASE_URL", "postgres://127.0.0.1/"),
        ("REDIS_URL", "redis://127.0.0.1:6379?db=3"),
        ("OPENAI_DEADLINE", "soon"),
        ("APOLLO_READ_TIMEOUT", "-1"),
        ("PERPLEXITY_RATE_LIMITS", "many"),
        ("REDIS_TIMEOUT", "500ms"),
        ("TOKEN_DAYS", "1e9"),
        ("APOLLO_DEADLINE", "1e7"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("PRICES_JSON", "{broken"),
        ("WEB_URL", "nonsense"),
        ("SANDBOX_URL", "http://127.0.0.1:port"),
        ("APOLLO_BASE_URL", "https://api.apollo.io@127.0.0.1"),
        ("INSTANTLY_TIMEZONE", "Europe/NotFoundView"),
        ("HTTPS", "true # behind a proxy"),
        ("DEBUG", "2"),
        ("BEHIND_PROXY", "ture"),
        ("READ_DOTENV", "never"),
        ("OIDC_CLIENT_SECRET", "without the other three"),
        ("TWO_PERSONS_FOR", "everything"),
        ("TWO_PERSONS_ABOVE_USD", "much"),
    ],
)
def test_a_wrong_value_stops_the_process_and_is_named(name, value):
    done = manage(**{name: value})
    assert done.returncode != 0
    assert "ImproperlyConfigured" in done.stderr
    assert name in done.stderr.splitlines()[-1]


@pytest.mark.processes
@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"MODE": "live"}, "APOLLO_API_KEY is not set."),
        (
            {"MODE": "live", "APOLLO_API_KEY": "k", "APOLLO_BASE_URL": "http://127.0.0.1:1"},
            "APOLLO_BASE_URL points at this",
        ),
        ({"OPENAI_BASE_URL": "https://api.openai.com/v1"}, "OPENAI_BASE_URL does not point at this machine."),
        ({"INSTANTLY_DEADLINE": "1"}, "INSTANTLY_DEADLINE is shorter than INSTANTLY_CONNECT_TIMEOUT."),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_a_hint(environment, told):
    done = manage(**environment)
    assert done.returncode != 0
    assert told in done.stderr
    assert "HINT:" in done.stderr


COMPANY = {
    "OIDC_ISSUER": "https://login.acme.example/",
    "OIDC_CLIENT_ID": "holdfast",
    "OIDC_CLIENT_SECRET": "a secret",
    "OIDC_ROLES": "groups: the ops team=operator, a=b=Viewer",
}


def with_company(monkeypatch, **changed):
    for name, value in {**COMPANY, **changed}.items():
        monkeypatch.setenv(name, value)
    return company_login()


def test_four_variables_make_a_company_login_and_none_make_none(monkeypatch):
    company = with_company(monkeypatch)
    assert company.issuer == "https://login.acme.example/"
    assert (company.claim, company.roles) == ("groups", {"the ops team": "Operator", "a=b": "Viewer"})
    assert "a secret" not in repr(company)
    assert with_company(monkeypatch, **dict.fromkeys(COMPANY, "")) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "") for name in COMPANY if name != "OIDC_ISSUER"),
        ("OIDC_ISSUER", "http://login.acme.example"),
        ("OIDC_ISSUER", "https://user@login.acme.example"),
        ("OIDC_ROLES", "groups"),
        ("OIDC_ROLES", "groups:"),
        ("OIDC_ROLES", "groups: ops"),
        ("OIDC_ROLES", "groups: ops=Superuser"),
        ("OIDC_ROLES", "ops=Operator"),
    ],
)
def test_a_company_login_that_lacks_something_is_refused_by_name(monkeypatch, name, value):
    with pytest.raises(ImproperlyConfigured, match=name):
        with_company(monkeypatch, **{name: value})


PART, SECRET = "kYf3vQm8RzT1xWc6LbN9hJd2GsP5aE7u", "s0Z-uVq4eBn7MxKt1Yw8HgRj3DcLp6_9"


def test_a_webhook_with_two_strong_parts_or_none_is_taken():
    assert weak_webhook(PART, SECRET) == ""
    assert weak_webhook("", "") == ""


@pytest.mark.parametrize("weak", ["short", "a" * 40, PART[:-1], f"{PART}/x", f"{PART} # a comment", "\xe9" * 40])
def test_a_webhook_with_a_weak_part_is_refused_by_name(weak):
    assert weak_webhook(weak, SECRET).startswith("INSTANTLY_WEBHOOK_PATH is weak")
    assert weak_webhook(PART, weak).startswith("INSTANTLY_WEBHOOK_SECRET is weak")


def test_half_a_webhook_is_refused():
    assert weak_webhook(PART, "").startswith("INSTANTLY_WEBHOOK_SECRET is not set")
    assert weak_webhook("", SECRET).startswith("INSTANTLY_WEBHOOK_PATH is not set")
    assert weak_webhook(PART, PART).endswith("are the same.")
