"""A pytest plugin (`-p tests.servers` in pyproject.toml): PostgreSQL and Valkey of this run's own.

They are up before Django reads its settings, on free ports, in a folder that disappears. Whatever a developer's
environment or a running `make up` says, tests never reach it.
"""

import atexit
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

from local.embedded import USER, Servers
from local.processes import StartError, free_port

NOTHING_RUNS = ("help", "version", "markers", "showfixtures")
running: list[tuple[Servers, Path]] = []


def isolate() -> None:
    """Forget a developer's settings, then say what the tests run with. Child processes inherit it."""
    prefixes = ("DJANGO_", "APOLLO_", "MILLIONVERIFIER_", "PERPLEXITY_", "OPENAI_", "INSTANTLY_", "DRAMATIQ_", "PG")
    ours = ("ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "BEHIND_PROXY", "HSTS_SECONDS", "LOG_LEVEL", "LOG_FORMAT")
    for name in list(os.environ):
        if name.startswith(prefixes) or name in (*ours, "REDIS_TIMEOUT", "WEB_URL", "PORT", "HOST"):
            del os.environ[name]
    os.environ.update(
        DJANGO_SETTINGS_MODULE="config.settings",
        READ_DOTENV="false",
        MODE="sandbox",
        DEBUG="false",
        HTTPS="false",
        ALLOWED_HOSTS="testserver,127.0.0.1,localhost",
        SECRET_KEY=secrets.token_hex(32),
        # A lock that a broken test never lets go of fails whoever waits for it, the emptying of the tables too.
        PGOPTIONS="-c lock_timeout=120s",
        SANDBOX_URL=f"http://127.0.0.1:{free_port()}",
        # Refused at once by every loopback: what `--help` reads, and nobody connects to.
        DATABASE_URL="postgres://nobody:nothing@127.0.0.1:1/nothing",
        REDIS_URL="redis://127.0.0.1:1",
    )


def start() -> None:
    """Start both servers and name them in the environment."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-tests-"))
    servers = Servers(folder, durable=False)
    running.append((servers, folder))
    atexit.register(stop)
    # A terminated run cleans up like one that is interrupted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    servers.start()
    let_tests_do_more(servers)
    os.environ.update(DATABASE_URL=servers.database_url, REDIS_URL=servers.redis_url)


def let_tests_do_more(servers: Servers) -> None:
    """Tests make databases, and play a failover in its read-only seconds; the role is ordinary in all else."""
    # What is granted on a function is kept in each database: in the template, for those that the tests make.
    with psycopg.connect(servers.admin_url("template1"), autocommit=True) as session:
        session.execute(f"ALTER ROLE {USER} CREATEDB")
        session.execute(f"GRANT ALTER SYSTEM ON PARAMETER default_transaction_read_only TO {USER}")
        session.execute(f"GRANT EXECUTE ON FUNCTION pg_reload_conf() TO {USER}")


def stop() -> None:
    """Stop them and remove their folder; harmless the second time."""
    while running:
        servers, folder = running.pop()
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """A wrapper, so that it runs before pytest-django's own hook, which reads the settings."""
    isolate()
    options = early_config.known_args_namespace
    # With pytest-xdist each worker has servers of its own, and the one that hands out the tests needs none.
    hands_out = getattr(options, "numprocesses", None) and "PYTEST_XDIST_WORKER" not in os.environ
    if not hands_out and not any(getattr(options, name, False) for name in NOTHING_RUNS):
        try:
            start()
        except StartError as error:
            stop()
            raise pytest.UsageError(str(error)) from error
    return (yield)


def pytest_unconfigure() -> None:
    stop()
