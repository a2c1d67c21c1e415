"""`make bench` runs the measurements, each on servers of its own. `python -m bench pause gate` picks some."""

import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from local.embedded import Servers

ALL = ("gate", "pause", "visible", "console", "fresh_import")


def main(names: list[str]) -> int:
    """Run each benchmark's `run()`, which prints its table and returns whether it kept its limits."""
    kept = True
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder,
        Servers(Path(folder), durable=True) as servers,
    ):
        os.environ.update(
            DJANGO_SETTINGS_MODULE="config.settings",
            READ_DOTENV="false",
            MODE="sandbox",
            DEBUG="false",
            HTTPS="false",
            ALLOWED_HOSTS="127.0.0.1",
            SECRET_KEY=os.urandom(32).hex(),
            LOG_LEVEL="ERROR",
            DATABASE_URL=servers.database_url,
            REDIS_URL=servers.redis_url,
            MILLIONVERIFIER_RATE_LIMITS="1000000/1",
        )
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        for name in names or ALL:
            print(f"\n== {name}: {(import_module(f'bench.{name}').__doc__ or '').splitlines()[0]}")
            kept &= import_module(f"bench.{name}").run()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
