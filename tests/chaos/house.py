"""A whole Holdfast that can be broken: three workers and two supervisors that die one by one, a wire to each server."""

import contextlib
import secrets
import signal
import time
from pathlib import Path
from typing import Any

import psycopg
import requests

from local.apps import signed
from local.drill import ENVIRONMENT, Drill
from local.embedded import Servers
from local.processes import Child
from local.stack import Stack
from tests.chaos.wire import Wire

WORKERS = ("worker 1", "worker 2", "worker 3")
SUPERVISORS = ("supervisor", "supervisor 2")
# Slow enough that the leads last, and that two cores have time for the faults; all API calls of the operators fit.
PACE = {name: "8/1" for name in ENVIRONMENT if name.endswith("_RATE_LIMITS")} | {
    "THROTTLE_CHANGES": "100000/60",
    "THROTTLE_USER": "100000/60",
}
MAKE_OPERATORS = """
import os, django
django.setup()
from django.contrib.auth.models import User
for name in ("ann", "bob"):
    User.objects.create_superuser(name, password=os.environ["PASSWORD"])
"""


class House(Stack):
    """A Stack whose processes reach PostgreSQL, Valkey and the vendors by wires."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, env={**ENVIRONMENT, **PACE}, processes=1, threads=8, durable=True, **options)
        self.wires = {name: Wire(self.ports[name]) for name in ("postgres", "valkey", "sandbox")}
        self.password = secrets.token_urlsafe()

    def start_servers(self) -> None:
        for wire in self.wires.values():
            wire.start()
        super().start_servers()

    def stop(self) -> None:
        for wire in self.wires.values():
            if wire.port:
                wire.thaw()
        if self.watcher:
            self.watcher.pause()
        for name in (*WORKERS, SUPERVISORS[1]):
            if child := self.children.pop(name, None):
                child.kill() if child.wanted and not child.alive else child.stop()
        super().stop()
        for wire in self.wires.values():
            wire.stop()

    @property
    def admin_url(self) -> str:
        """The URL of PostgreSQL's superuser, past the wire."""
        return Servers(self.folder, postgres_port=self.ports["postgres"], valkey_port=self.ports["valkey"]).admin_url()

    def environment(self) -> dict[str, str]:
        env = super().environment()
        for name, variable in (("postgres", "DATABASE_URL"), ("valkey", "REDIS_URL"), ("sandbox", "SANDBOX_URL")):
            env[variable] = env[variable].replace(f":{self.ports[name]}", f":{self.wires[name].port}")
        return env

    def apps(self) -> list[Child]:
        apps = {child.name: child for child in super().apps()}
        workers = apps.pop("workers")
        several = [self.like(workers, name, "worker") for name in WORKERS]
        return [*apps.values(), *several, self.like(apps["supervisor"], SUPERVISORS[1], "supervisor")]

    def like(self, child: Child, name: str, role: str) -> Child:
        return Child(
            name=name,
            command=child.command,
            log=self.folder / "log" / f"{name.replace(' ', '-')}.log",
            env=child.env,
            cwd=child.cwd,
            ready=signed(self.database_url, role, 1),
            stop_with=child.stop_with,
            inherit=child.inherit,
        )

    def describe(self, name: str) -> str:
        return name if name in (*WORKERS, SUPERVISORS[1]) else super().describe(name)

    def kill_and_start(self, name: str) -> None:
        """Kill a process with its descendants, and start it again at once, before the watcher takes note."""
        child = self.children[name]
        with child.lock:
            child.signal(signal.SIGCONT)
            child.kill()
            child.start(wait=False)

    def restart(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop a server by a signal (SIGKILL: as a crash does), and start it again; waits until it answers."""
        child = self.children[name]
        with child.lock:
            if number == signal.SIGKILL:
                child.kill()
            else:
                child.stop()
            child.start()

    def pids(self) -> dict[str, int]:
        return {name: child.pid for name, child in self.children.items()}


class Books(Drill):
    """What an experiment reads, straight from the servers: its connection may be lost and is made anew."""

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        for _ in range(100):
            try:
                return super().rows(sql, *parameters)
            except psycopg.OperationalError:
                time.sleep(0.2)
                with contextlib.suppress(psycopg.Error):
                    self.database.close()
                with contextlib.suppress(psycopg.OperationalError):
                    self.connect()
        return super().rows(sql, *parameters)

    def value(self, sql: str, *parameters: object) -> Any:
        found = self.rows(sql, *parameters)
        return found[0][0] if found else None


class Operator:
    """A person at the API. `act` and `read` answer the data; None when they were refused or nobody answered."""

    def __init__(self, house: House, name: str) -> None:
        self.house, self.name = house, name
        self.api = f"{house.web_url}/api/v1"
        self.headers: dict[str, str] = {}
        self.refusal = ""

    def ask(self, method: str, path: str, body: dict[str, object] | None = None, within: float = 30) -> Any:
        try:
            answer = requests.request(
                method, f"{self.api}/{path}", json=body or None, headers=self.headers, timeout=within
            )
            told = answer.json()
        except (requests.RequestException, ValueError) as error:
            self.refusal = f"{path}: {type(error).__name__}"
            return None
        if not answer.ok:
            self.refusal = f"{path}: {answer.status_code} {told.get('error') or told}"
            return None
        return told["data"]

    def act(self, path: str, **body: object) -> Any:
        return self.ask("POST", path, body)

    def read(self, path: str) -> Any:
        return self.ask("GET", path)

    def log_in(self) -> None:
        login = {"username": self.name, "password": self.house.password, "name": "chaos", "days": 1}
        self.headers = {"Authorization": f"Token {self.act('auth/token', **login)['token']}"}


def operators(house: House) -> list[Operator]:
    """Make two operators and log them in."""
    house.python("-c", MAKE_OPERATORS, check=True, PASSWORD=house.password)
    two = [Operator(house, name) for name in ("ann", "bob")]
    for one in two:
        one.log_in()
    return two
