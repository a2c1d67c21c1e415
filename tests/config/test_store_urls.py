"""DATABASE_URL and REDIS_URL: what they may say, and that all of it arrives."""

from typing import Any

import pytest
import redis
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from config.stores import database, redis_database, redis_server
from workers import leadership

PLAIN = "postgres://ann:secret@db.example:5433/holdfast"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the variable and returns its name."""

    def give(url: str) -> str:
        monkeypatch.setenv("STORE_URL", url)
        return "STORE_URL"

    return give


def test_a_password_of_its_own_is_for_a_url_without_one(given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_PASSWORD", "p@ss/word")
    monkeypatch.setenv("REDIS_PASSWORD", "p@ss/word")
    assert database(given("postgres://ann@db.example/holdfast"))["PASSWORD"] == "p@ss/word"
    assert database(given(PLAIN))["PASSWORD"] == "secret"
    assert redis_server(given("rediss://redis.example:6380")) == "rediss://:p%40ss%2Fword@redis.example:6380"
    assert redis_server(given("redis://ann@redis.example")) == "redis://ann:p%40ss%2Fword@redis.example"
    assert redis_server(given("redis://:other@redis.example")) == "redis://:other@redis.example"


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


def test_the_options_of_the_url_join_ours(given: Any) -> None:
    found = database(given(f"{PLAIN}?sslmode=verify-full&sslrootcert=/etc/ca.pem&connect_timeout=9"))
    assert (found["HOST"], found["PORT"], found["NAME"], found["USER"]) == ("db.example", 5433, "holdfast", "ann")
    assert found["OPTIONS"]["sslmode"] == "verify-full"
    assert found["OPTIONS"]["sslrootcert"] == "/etc/ca.pem"
    assert found["OPTIONS"]["connect_timeout"] == 9
    assert found["OPTIONS"]["keepalives_count"] == 3
    assert found["CONN_HEALTH_CHECKS"]


def test_session_settings_of_the_url_come_after_ours(given: Any) -> None:
    options = database(given(f"{PLAIN}?options=-c%20lock_timeout%3D3s"))["OPTIONS"]["options"]
    assert options.endswith("-c lock_timeout=10s -c lock_timeout=3s")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "junk",
        "db.example/holdfast",
        "sqlite:///db.sqlite3",
        "postgis://db.example/holdfast",
        "postgres://",
        "postgres://db.example",
        "postgres://db.example/",
        "postgres://ann:secret@db.example:port/holdfast",
        "postgres://ann:secret@[::1/holdfast",
        f"{PLAIN}?sslmod=require",
    ],
)
def test_a_url_that_names_no_postgresql_database_is_refused_without_its_password(given: Any, url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^STORE_URL ") as refused:
        database(given(url))
    assert "secret" not in str(refused.value)


def test_the_supervisors_own_session_is_made_with_all_that_the_others_have(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr("workers.leadership.psycopg.connect", lambda **params: asked.update(params))
    monkeypatch.setitem(
        connection.settings_dict,
        "OPTIONS",
        {"sslrootcert": "/etc/ca.pem", "target_session_attrs": "read-write", "options": "-c search_path=ours"},
    )
    leadership.connect()
    assert asked["sslrootcert"] == "/etc/ca.pem"
    assert asked["target_session_attrs"] == "read-write"
    assert asked["options"] == f"-c search_path=ours {leadership.SESSION_TIMEOUTS}"
    assert asked["autocommit"] is True
    assert not asked.keys() & {"cursor_factory", "context", "prepare_threshold"}


# --- Redis ------------------------------------------------------------------------------------------------------------


def number_of(url: str) -> Any:
    return redis.ConnectionPool.from_url(url).connection_kwargs["db"]


@pytest.mark.parametrize(
    "url",
    [
        "redis://r:6379",
        "redis://r:6379/",
        "redis://:secret@r/0",
        "rediss://r:6379/0?ssl_cert_reqs=none",
        "redis://[::1]:6379",
    ],
)
def test_each_store_has_a_database_of_its_own(given: Any, url: str) -> None:
    server = redis_server(given(url))
    assert [number_of(redis_database(server, number)) for number in (0, 1, 2)] == [0, 1, 2]
    assert ("ssl_cert_reqs=none" in redis_database(server, 1)) == ("?" in url)
    assert number_of(redis_database(server, 1, socket_timeout=10)) == 1


def test_an_option_of_the_url_wins_over_ours() -> None:
    url = redis_database("redis://r?socket_timeout=4", 1, socket_timeout=10, socket_connect_timeout=3)
    assert url == "redis://r/1?socket_timeout=4&socket_connect_timeout=3"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "junk",
        "http://r:6379",
        "redis://",
        "redis://:secret@r:6379/3",
        "redis://:secret@r:6379?db=3",
        "redis://:secret@r:port",
        "redis://:secret@r:6379?socket_timeout=soon",
        "redis://:secret@r:6379?no_such_option=1",
    ],
)
def test_a_url_that_names_no_redis_is_refused_without_its_password(given: Any, url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^STORE_URL ") as refused:
        redis_server(given(url))
    assert "secret" not in str(refused.value)
