"""Holdfast's own processes are described here: sandbox, web, workers, supervisor, and when each of them is ready."""

import contextlib
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from local.processes import Child


@dataclass(frozen=True)
class Apps:
    """Makes the children of one stack, all with the same environment, folders and inherited descriptors.

    `env` names the URLs (DATABASE_URL, WEB_URL, SANDBOX_URL) at which they find each other; `host`, `web_port` and
    `sandbox_port` are those to listen on. `processes` of workers have `threads` each.
    """

    env: dict[str, str]
    root: Path
    logs: Path
    inherit: tuple[int, ...]
    host: str
    web_port: int
    sandbox_port: int
    processes: int
    threads: int

    def in_order(self) -> list[Child]:
        """Return the processes in the order of their start."""
        python, web = sys.executable, f"{self.host}:{self.web_port}"
        return [
            self.app(
                "sandbox",
                [python, "manage.py", "sandbox", "--host", "127.0.0.1", "--port", str(self.sandbox_port)],
                ready=lambda: responds(self.env["SANDBOX_URL"]),
            ),
            self.app(
                "web",
                [
                    *(python, "-m", "gunicorn", "config.wsgi", "--bind", web, "--no-control-socket"),
                    *("--worker-class", "gthread", "--threads", "16", "--graceful-timeout", "5"),
                ],
                ready=lambda: responds(self.env["WEB_URL"]),
            ),
            self.app(
                "workers",
                [
                    *(python, "manage.py", "rundramatiq", "--processes", str(self.processes)),
                    # Its own default is ten minutes. A call that takes longer is taken up after its lease.
                    *("--threads", str(self.threads), "--worker-shutdown-timeout", "8000"),
                ],
                ready=signed(self.env["DATABASE_URL"], "worker", self.processes),
                patience=12,
            ),
            self.app(
                "supervisor",
                [python, "manage.py", "supervise"],
                ready=signed(self.env["DATABASE_URL"], "supervisor", 1),
            ),
        ]

    def app(self, name: str, command: list[str], *, ready: Callable[[], bool], patience: float = 10) -> Child:
        return Child(
            name=name,
            command=command,
            log=self.logs / f"{name}.log",
            # With DEBUG Django keeps every statement that a process ever made; only pages are the better for it.
            env=self.env if name in ("web", "sandbox") else {**self.env, "DEBUG": "false"},
            cwd=self.root,
            ready=ready,
            stop_with=((signal.SIGTERM, patience),),
            inherit=self.inherit,
        )


def signed(database_url: str, role: str, count: int) -> Callable[[], bool]:
    """Return a function that says whether so many processes of the role have signed, in the table that recovery reads.

    Signs from before the question is first asked are an earlier run's.
    """
    since: list[datetime] = []

    def asked() -> bool:
        with contextlib.suppress(psycopg.Error), psycopg.connect(database_url) as connection:
            if not since:
                row = connection.execute("SELECT now()").fetchone()
                since.append(row[0] if row else datetime.now(UTC))
            query = "SELECT count(*) FROM processes WHERE role = %s AND seen_at > %s"
            row = connection.execute(query, (role, since[0])).fetchone()
            return bool(row and row[0] >= count)
        return False

    return asked


def responds(url: str) -> bool:
    """Say whether an HTTP server answers there, with whatever status."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310  (our own http:// URL)
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
