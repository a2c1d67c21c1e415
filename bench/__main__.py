"""`make bench` runs the measurements, each in a process and on servers of its own; `ARGS="pause gate"` picks some.

Their figures go into docs/performance.json, and the page docs/performance.md is written from it; `--report` does only
that.
"""

import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from bench import report
from local.embedded import Servers


def main(names: list[str]) -> int:
    """Run the benchmarks named, or all; 1 if one of them failed or did not keep its limits."""
    if names == ["--report"]:
        report.write()
        return 0
    if len(names) == 1:
        return 0 if measure(names[0]) else 1
    ended = [subprocess.run([sys.executable, "-m", "bench", name], check=False) for name in names or report.ALL]
    return int(any(process.returncode for process in ended))


def measure(name: str) -> bool:
    """Run one benchmark's `run()`, keep the figures that it returns, and say whether it kept its limits."""
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
        benchmark = import_module(f"bench.{name}")
        title = (benchmark.__doc__ or name).splitlines()[0]
        print(f"\n== {name}: {title}", flush=True)
        begun = report.circumstances(name)
        measured = benchmark.run()
    measured.show()
    report.keep(name, title, begun, measured)
    report.write()
    return bool(measured.kept)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
