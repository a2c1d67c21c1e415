"""DATABASE_URL and REDIS_URL name the two stores, and are read here. No message quotes one: it may hold a password."""

from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg
import redis
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import make_conninfo

from config.environment import env, secret, text

# A server that falls silent is noticed within seconds, and a forgotten transaction ends. The URL's options win.
CONNECTION: dict[str, Any] = {
    "connect_timeout": 3,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
SESSION = "-c idle_in_transaction_session_timeout=30s -c lock_timeout=10s"


def database(name: str) -> dict[str, Any]:
    """Return Django's entry for a PostgreSQL, with the URL's options (`?sslmode=verify-full`) among ours."""
    url = text(name)
    if not url:
        raise ImproperlyConfigured(f"{name} is not set. Run `make up`, or point it at your PostgreSQL.")
    if url.partition("://")[0] not in ("postgres", "postgresql"):
        raise ImproperlyConfigured(f"{name} must be a postgres:// URL: Holdfast relies on PostgreSQL's locks.")
    try:
        entry: dict[str, Any] = env.db_url_config(url)
        options = entry.get("OPTIONS", {})
        make_conninfo(**options)
    except (ValueError, psycopg.ProgrammingError) as error:
        raise ImproperlyConfigured(f"{name} must look like postgres://USER:PASSWORD@HOST:5432/DATABASE.") from error
    if not entry["PASSWORD"]:
        entry["PASSWORD"] = secret("POSTGRES_PASSWORD")
    if not entry["NAME"]:
        raise ImproperlyConfigured(f"{name} names no database: postgres://USER:PASSWORD@HOST:5432/DATABASE.")
    # Of two settings of the same name the server takes the last.
    session = f"{SESSION} {options.get('options', '')}".strip()
    # A persistent connection with health checks recovers worker threads from a PostgreSQL restart; a pool would need
    # more settings than threads.
    return {
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        **entry,
        "OPTIONS": {**CONNECTION, **options, "options": session},
    }


def redis_server(name: str) -> str:
    """Return the URL of a Redis without a database number, its options (`?ssl_ca_certs=...`) kept."""
    url = text(name)
    if not url:
        raise ImproperlyConfigured(f"{name} is not set. Run `make up`, or point it at your Redis or Valkey.")
    try:
        parts = urlsplit(url)
        if parts.hostname and parts.password is None and (password := secret("REDIS_PASSWORD")):
            parts = parts._replace(
                netloc=f"{parts.username or ''}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}"
            )
        fits = parts.scheme in ("redis", "rediss") and parts.hostname and parts.path.strip("/") in ("", "0")
        bare = parts._replace(path="").geturl()
        # Makes an object, no connection: the port and the options are read.
        pool = redis.ConnectionPool.from_url(bare)
        pool.make_connection()
    except (ValueError, TypeError) as error:
        raise ImproperlyConfigured(f"{name} must be redis://HOST:PORT (or rediss://) with known options.") from error
    if not fits or pool.connection_kwargs.get("db"):
        raise ImproperlyConfigured(f"{name} must be redis://HOST:PORT (or rediss://) without a database number.")
    return bare


def redis_database(server: str, number: int, **options: int) -> str:
    """Return the URL of one numbered database of that server, with `options` unless the URL sets them."""
    parts = urlsplit(server)
    query = urlencode({**options, **dict(parse_qsl(parts.query))})
    return parts._replace(path=f"/{number}", query=query).geturl()
