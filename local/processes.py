"""Child processes are started in sessions of their own, watched, and stopped without leaving anything behind.

Nothing here knows Django or Holdfast; `local/embedded.py` and `local/apps.py` say what runs.
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Below Linux's ephemeral range: a client that retries a dead loopback port inside that range may connect to itself.
PORTS = range(20_000, 32_000)
TICK = 0.05


class StartError(Exception):
    """Something could not be started; the message is meant for the person at the terminal, without a traceback."""


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(preferred: int = 0) -> int:
    """Return `preferred` if it is free on 127.0.0.1, otherwise any free port below the ephemeral range."""
    if preferred and port_is_free(preferred):
        return preferred
    for _ in range(200):
        port = random.choice(PORTS)  # noqa: S311  (no secret: the operating system decides whether it is ours)
        if port_is_free(port):
            return port
    raise StartError(f"No free port between {PORTS.start} and {PORTS.stop} on 127.0.0.1.")


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether something accepts connections there."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def tail(path: Path, lines: int = 15) -> str:
    """Return the last lines of a log, indented, or one that says that there are none."""
    with contextlib.suppress(OSError), path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 20_000))
        text = log.read().decode(errors="replace").rstrip().splitlines()[-lines:]
        if text:
            return "\n".join(f"    {line}" for line in text)
    return f"    (nothing in {path})"


def group_is_gone(group: int) -> bool:
    """Say whether no process is left in this group; zombies that wait for somebody else's `wait` do not count."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    proc = Path("/proc")
    if not (proc / "self" / "stat").exists():
        return False
    for stat in proc.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, _parent, its_group = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                return False
    return True


def dies_with_us(stop_signal: signal.Signals) -> list[str]:
    """Return a prefix that has the kernel send `stop_signal` when the thread that started the child is gone.

    It covers a parent killed with SIGKILL. Where `setpriv` does not know it (not Linux), the child outlives that.
    """
    setpriv = shutil.which("setpriv") if Path("/proc/self").exists() else None
    return [setpriv, "--pdeathsig", stop_signal.name.removeprefix("SIG"), "--"] if setpriv else []


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    within: float = 60,
    give_up: Callable[[], bool] = lambda: False,
) -> subprocess.CompletedProcess[str]:
    """Run something to its end and return its output; StartError when it takes too long or nobody waits any more."""
    process = subprocess.Popen(  # noqa: S603  (our own command lines)
        [*dies_with_us(signal.SIGTERM), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
    deadline = time.monotonic() + within
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                output, errors = process.communicate(timeout=4 * TICK)
                return subprocess.CompletedProcess(command, process.returncode, output, errors)
            if give_up() or time.monotonic() > deadline:
                raise StartError(f"{command[0]} was stopped before its end.")
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise


@dataclass
class Child:
    """A Child is one process with its descendants. The thread that starts it must outlive it (see `dies_with_us`)."""

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    # Called before each start, a restart after a crash included; may raise StartError.
    before: Callable[[], None] = lambda: None
    # Called again and again after the start until it says yes, at most `ready_within` seconds.
    ready: Callable[[], bool] = lambda: True
    ready_within: float = 60
    # Each signal in turn goes to the process itself, which is given that many seconds; then its group is swept.
    stop_with: Sequence[tuple[signal.Signals, float]] = ((signal.SIGTERM, 10),)
    prefix: Sequence[str] = ()
    inherit: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    # Somebody wants it down: `fell` does not call that a crash.
    wanted: bool = field(default=False, init=False)
    started_at: float = field(default=0, init=False)  # monotonic
    lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    @property
    def pid(self) -> int:
        """The id of the process that was started last (0: none), which leads the group of its descendants."""
        return self.process.pid if self.process else 0

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def fell(self) -> bool:
        """Say whether it ended although nobody stopped it."""
        return self.wanted and not self.alive

    def start(self, give_up: Callable[[], bool] = lambda: False, *, wait: bool = True) -> None:
        """Start, and wait until ready. Raises StartError with the end of the log; what was not ready is killed."""
        with self.lock:
            if self.alive:
                return
            self.sweep()  # what a crashed process left of its group would work beside the new one
            self.before()
            try:
                self.process = self.spawn()
            except OSError as error:
                raise StartError(f"{self.name} could not be started: {error}") from error
            self.wanted = True
            self.started_at = time.monotonic()
        if wait:
            try:
                self.wait_until_ready(give_up)
            except BaseException:
                self.stop(hurry=lambda: True)
                raise

    def spawn(self) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603  (our own command lines)
                [*self.prefix, *dies_with_us(self.stop_with[0][0]), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=self.cwd,
                start_new_session=True,
                pass_fds=self.inherit,
            )

    def wait_until_ready(self, give_up: Callable[[], bool] = lambda: False) -> None:
        """Wait, or raise StartError if the process ends first, takes too long, or `give_up` says that nobody waits."""
        deadline = time.monotonic() + self.ready_within
        while True:
            if give_up():
                raise StartError(f"{self.name} was not waited for.")
            if not self.alive:
                raise StartError(f"{self.name} {self.how_it_ended()}. The end of {self.log}:\n{tail(self.log)}")
            if self.ready():
                return
            if time.monotonic() > deadline:
                late = f"{self.name} was not ready within {self.ready_within:g} s"
                raise StartError(f"{late}. The end of {self.log}:\n{tail(self.log)}")
            time.sleep(TICK)

    def how_it_ended(self) -> str:
        """Say how it ended: `was killed by SIGKILL`, `ended with status 3`, `is running` or `was not started`."""
        code = self.process.poll() if self.process else None
        if code is None:
            return "is running" if self.process else "was not started"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> None:
        """Ask, wait, sweep the group. `hurry` cuts all waiting short. Harmless when nothing runs."""
        with self.lock:
            self.wanted = False
            for number, patience in self.stop_with:
                if self.alive:
                    self.signal(number, to_group=False)
                    wait_for(lambda: not self.alive, patience, hurry)
            self.sweep(hurry)

    def sweep(self, hurry: Callable[[], bool] = lambda: False) -> None:
        """Leave nothing of the group: SIGTERM with a little time, then SIGKILL."""
        if self.pid and not group_is_gone(self.pid):
            self.signal(signal.SIGTERM)
            wait_for(lambda: group_is_gone(self.pid), 3, hurry)
            self.kill()

    def kill(self) -> None:
        """Send SIGKILL to the whole group, as a crash would do it; returns when nothing of it is left."""
        self.signal(signal.SIGKILL)
        if self.process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
            wait_for(lambda: group_is_gone(self.pid), 5)

    def signal(self, number: signal.Signals, *, to_group: bool = True) -> None:
        """Send a signal to the group or to its leader alone; nothing happens when it is gone."""
        if self.process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                (os.killpg if to_group else os.kill)(self.process.pid, number)

    def restart(self) -> None:
        """Stop in order, then start again and wait until ready."""
        self.stop()
        self.start()

    def rotate_log(self) -> None:
        """Keep one earlier log beside a new one: a tail shows this run, and a long life fills no disk."""
        with contextlib.suppress(FileNotFoundError):
            self.log.replace(self.log.with_suffix(".log.1"))


def wait_for(condition: Callable[[], bool], patience: float, hurry: Callable[[], bool] = lambda: False) -> bool:
    """Wait for a condition and say whether it came true within `patience` seconds; a `hurry` ends that at once."""
    deadline = time.monotonic() + patience
    while not condition():
        if hurry() or time.monotonic() > deadline:
            return False
        time.sleep(TICK)
    return True
