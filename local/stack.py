"""A stack is all of Holdfast on one machine: servers, sandbox, web, workers, supervisor. `make up` runs one."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from types import FrameType, TracebackType

from local.apps import Apps
from local.embedded import Servers
from local.folder import FolderLock, Locked, kept_secret, nice, write_private
from local.processes import Child, StartError, free_port, port_is_free, run, tail
from local.watch import Watcher

ROOT = Path(__file__).resolve().parent.parent
# What a developer set for real vendors or for another run has no business in a stack that talks to the sandbox.
FOREIGN = (
    "APOLLO_",
    "MILLIONVERIFIER_",
    "PERPLEXITY_",
    "OPENAI_",
    "INSTANTLY_",
    "DRAMATIQ_",
    "GUNICORN_",
    "PG",
    "OIDC_",
)
# Beside what a stack is given, the names of `.local/env`, with which `manage.py` in another terminal finds the stack.
PUBLISHED = (
    *("DATABASE_URL", "REDIS_URL", "WEB_URL", "SANDBOX_URL", "MODE", "DEBUG", "SECRET_KEY"),
    *("INSTANTLY_WEBHOOK_PATH", "INSTANTLY_WEBHOOK_SECRET"),
)
SERVERS = ("valkey", "postgres")
STOP_ORDER = ("workers", "supervisor", "web", "sandbox", *SERVERS)


class Interrupted(Exception):
    """Somebody asked to stop while the stack was starting."""


class Stack:
    """A Stack has everything in one folder: data, logs, lock, and (when it is to be published) `env`.

    `start` and `stop`, or a context manager; in between a thread starts again what falls. With `database_url` or
    `redis_url` that server is used instead of an embedded one. `say` is given one line per step.
    """

    def __init__(
        self,
        folder: Path,
        *,
        root: Path = ROOT,
        host: str = "127.0.0.1",
        ports: Mapping[str, int] | None = None,
        env: Mapping[str, str] | None = None,
        database_url: str = "",
        redis_url: str = "",
        processes: int = 2,
        threads: int = 8,
        durable: bool = True,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Take `ports` by name (postgres, valkey, sandbox, web): those given must be free, the others are chosen."""
        self.folder = folder.absolute()
        self.root = root
        self.host = host
        self.ports = {name: (ports or {}).get(name) or free_port() for name in ("postgres", "valkey", "sandbox", "web")}
        self.extra = dict(env or {})
        self.database_url = database_url
        self.redis_url = redis_url
        self.processes = processes
        self.threads = threads
        self.durable = durable
        self.say = say
        self.env: dict[str, str] = {}
        self.children: dict[str, Child] = {}
        self.lock = FolderLock(self.folder)
        self.published = self.folder / "env"
        self.interruptions = 0
        self.running = False
        self.watcher: Watcher | None = None

    @property
    def web_url(self) -> str:
        # 0.0.0.0 is no host to open: everything includes loopback.
        host = "127.0.0.1" if self.host in ("0.0.0.0", "") else self.host  # noqa: S104
        return f"http://{host}:{self.ports['web']}"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['sandbox']}"

    def child(self, name: str) -> Child:
        """Return the child `postgres`, `valkey`, `sandbox`, `web`, `workers` or `supervisor`, e.g. to `kill()` it."""
        return self.children[name]

    def __enter__(self) -> "Stack":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        except KeyboardInterrupt:  # came between the end of the story and the first line of `stop`
            self.stop()

    # --- start and stop -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything, in order. Raises StartError or Interrupted, and then nothing is left running."""
        try:
            self.take_lock()
            self.require_free_ports()
            self.start_servers()
            self.env = self.environment()
            self.migrate()
            for child in self.apps():
                self.start_child(child)
            self.watcher = Watcher(self.children.values(), self.say)
            self.watcher.start()
            self.running = True
            if self.given_up():  # counted in the last moment before
                raise Interrupted
        except BaseException as error:
            self.stop()
            if self.interruptions and isinstance(error, StartError):
                raise Interrupted from error
            raise

    def stop(self) -> None:
        """Stop everything, in order; harmless when nothing runs. A second interruption cuts the waiting short."""
        self.running = False
        if self.lock.descriptor < 0:
            return  # not ours: another run's `env` stays
        if self.watcher:
            self.watcher.pause()
        self.published.unlink(missing_ok=True)
        enough = max(1, self.interruptions)

        def impatient() -> bool:
            return self.interruptions > enough

        for name in STOP_ORDER:
            if child := self.children.pop(name, None):
                self.say(f"{name:<11} stops")
                # A server that is killed leaves processes and a recovery behind; it is quick anyway.
                child.stop(hurry=never if name in SERVERS else impatient)
        if self.watcher:
            self.watcher.end()
        self.lock.release()

    def handle_signals(self) -> None:
        """Let Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt; during start and stop they are counted.

        Counted, because an exception at any line could lose a child that was just being started.
        """

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            self.interruptions += 1
            if self.running:
                self.running = False
                raise KeyboardInterrupt

        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, interrupt)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # under nohup it stays ignored
            signal.signal(signal.SIGHUP, interrupt)

    def given_up(self) -> bool:
        return self.interruptions > 0

    def start_child(self, child: Child) -> None:
        self.children[child.name] = child
        child.rotate_log()
        child.start(self.given_up)
        self.say(f"{child.name:<11} {self.describe(child.name)}")

    def describe(self, name: str) -> str:
        return {
            "postgres": f"PostgreSQL on 127.0.0.1:{self.ports['postgres']}, data in {nice(self.folder / 'postgres')}",
            "valkey": f"Valkey on 127.0.0.1:{self.ports['valkey']}, data in {nice(self.folder / 'valkey')}",
            "sandbox": f"{self.sandbox_url} stands in for the five vendors",
            "web": self.web_url,
            "workers": f"{self.processes} processes with {self.threads} threads each",
            "supervisor": "finishes what anyone leaves unfinished",
        }[name]

    # --- the steps ----------------------------------------------------------------------------------------------------

    def take_lock(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.folder / "log").mkdir(exist_ok=True)
        try:
            self.lock.take(give_up=self.given_up)
        except Locked as error:
            raise StartError(str(error)) from error
        self.published.unlink(missing_ok=True)  # of a run that was killed

    def require_free_ports(self) -> None:
        for name, host in (("web", self.host), ("sandbox", "127.0.0.1")):
            if not port_is_free(self.ports[name], host):
                variable = "PORT" if name == "web" else f"{name.upper()}_PORT"
                raise StartError(
                    f"Port {self.ports[name]} on {host} is in use by another program, so {name} cannot listen there. "
                    f"Choose another: {variable}={free_port()} make up"
                )

    def start_servers(self) -> None:
        servers = Servers(
            self.folder,
            postgres_port=self.ports["postgres"],
            valkey_port=self.ports["valkey"],
            durable=self.durable,
            inherit=(self.lock.descriptor,),
        )
        for name, child, given, begin in (
            ("postgres", servers.postgres, self.database_url, servers.start_postgres),
            ("valkey", servers.valkey, self.redis_url, servers.start_valkey),
        ):
            if given:
                self.say(f"{name:<11} {without_password(given)} (from the environment)")
                continue
            self.children[name] = child
            child.rotate_log()
            begin(self.given_up)
            self.say(f"{name:<11} {self.describe(name)}")
        self.database_url = self.database_url or servers.database_url
        self.redis_url = self.redis_url or servers.redis_url

    def environment(self) -> dict[str, str]:
        """Return what every child runs with, whatever the developer's own environment or `.env` says."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
        hosts = "*" if self.host in ("0.0.0.0", "::") else f"{self.host},127.0.0.1,localhost"  # noqa: S104
        return {
            **kept,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "READ_DOTENV": "false",
            "MODE": "sandbox",
            "DEBUG": "true",
            "HTTPS": "false",
            "ALLOWED_HOSTS": hosts,
            "SECRET_KEY": os.environ.get("SECRET_KEY") or kept_secret(self.folder / "secret_key", 50),
            "INSTANTLY_WEBHOOK_PATH": kept_secret(self.folder / "webhook_path"),
            "INSTANTLY_WEBHOOK_SECRET": kept_secret(self.folder / "webhook_secret"),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "WEB_URL": self.web_url,
            "SANDBOX_URL": self.sandbox_url,
            "PYTHONUNBUFFERED": "1",
            **self.extra,
        }

    def migrate(self) -> None:
        self.manage("migrate", "--no-input", "--verbosity", "0", check=True)
        self.say(f"{'database':<11} migrated")

    def manage(self, *arguments: str, check: bool = False, within: float = 300) -> CompletedProcess[str]:
        """Run `manage.py` against this stack; with `check`, a failure is a StartError with the end of its output."""
        return self.python("manage.py", *arguments, check=check, within=within)

    def python(self, *arguments: str, check: bool = False, within: float = 300, **env: str) -> CompletedProcess[str]:
        done = run(
            [sys.executable, *arguments],
            env={**self.env, **env},
            cwd=self.root,
            within=within,
            give_up=self.given_up,
        )
        if check and done.returncode:
            log = self.folder / "log" / "setup.log"
            log.write_text(done.stdout + done.stderr)
            raise StartError(f"`{' '.join(arguments[:3])}` failed. The end of {log}:\n{tail(log)}")
        return done

    def apps(self) -> list[Child]:
        """Return Holdfast's own processes, in the order of their start."""
        return Apps(
            env=self.env,
            root=self.root,
            logs=self.folder / "log",
            inherit=(self.lock.descriptor,),
            host=self.host,
            web_port=self.ports["web"],
            sandbox_port=self.ports["sandbox"],
            processes=self.processes,
            threads=self.threads,
        ).in_order()

    def publish(self) -> None:
        """Write `env` for `manage.py` in other terminals: all of it or nothing, for nobody else's eyes."""
        text = "".join(f"{name}={self.env[name]}\n" for name in (*PUBLISHED, *self.extra))
        write_private(self.published, text)


def never() -> bool:
    return False


def without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
