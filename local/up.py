"""`make up` runs everything here until Ctrl-C. HOST and PORT choose where the web listens."""

import contextlib
import os
import sys
import time
from pathlib import Path

from local.folder import kept_secret, nice
from local.processes import StartError, free_port
from local.stack import PUBLISHED, ROOT, Interrupted, Stack

LOCAL = ROOT / ".local"
# The sandbox is free: a first campaign should not wait for the smallest plan's requests per minute.
SANDBOX_LIMITS = {"PERPLEXITY_RATE_LIMITS": "25/1", "OPENAI_RATE_LIMITS": "25/1", "APOLLO_RATE_LIMITS": "25/1"}
# Preferred because they are easy to remember; another is chosen when one is taken, unless it was asked for.
PREFERRED = {"postgres": 25_432, "valkey": 26_379, "sandbox": 28_090}


def say(line: str) -> None:
    # A closed terminal must not keep anybody from stopping the children.
    with contextlib.suppress(OSError, ValueError):
        print(line, flush=True)


def port_from_environment(name: str, default: int = 0) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or int(text) > 65_535:
        raise StartError(f"{name} must be a port number, not {text!r}.")
    return int(text)


def make_stack(folder: Path, root: Path) -> Stack:
    """Return the stack that the environment asks for."""
    ports = {"web": port_from_environment("PORT", 8000)}
    for name, preferred in PREFERRED.items():
        ports[name] = port_from_environment(f"{name.upper()}_PORT") or free_port(preferred)
    return Stack(
        folder,
        root=root,
        host=os.environ.get("HOST") or "127.0.0.1",
        env=SANDBOX_LIMITS,
        ports=ports,
        database_url=os.environ.get("DATABASE_URL", ""),
        redis_url=os.environ.get("REDIS_URL", "").rstrip("/").removesuffix("/0"),
        say=lambda line: say(f"  {line}"),
    )


def ensure_login(stack: Stack) -> str:
    """Make the login `admin` and return its password, which `.local/login` keeps."""
    password = kept_secret(stack.folder / "login", 12)
    stack.python("-m", "local.admin_login", check=True, ADMIN_PASSWORD=password)
    return password


def overridden() -> list[str]:
    """Name what `.env` says otherwise: `manage.py` in another terminal would follow it instead of this stack."""
    with contextlib.suppress(OSError):
        lines = (ROOT / ".env").read_text().splitlines()
        names = {line.removeprefix("export ").partition("=")[0].strip() for line in lines}
        return [name for name in (*PUBLISHED, *SANDBOX_LIMITS) if name in names]
    return []


def welcome(stack: Stack, password: str, seconds: float) -> None:
    python = nice(Path(sys.executable))
    redis_port = stack.redis_url.rpartition(":")[2]
    say(f"Ready after {seconds:.0f} s, in sandbox mode: no vendor is called, nothing costs money.\n")
    say(f"  Open       {stack.web_url}")
    say(f"  Login      admin / {password}   (kept in {nice(stack.folder / 'login')})\n")
    say("In another terminal, here:")
    say(f'  Campaign   {python} manage.py campaign create "First look" --csv samples/people.csv --start')
    say(f'  Break one  curl -X PUT {stack.sandbox_url}/_control/openai -d \'{{"fault": "server_error"}}\'')
    say(f"  Look       {python} manage.py breaker status;  redis-cli -p {redis_port} HGETALL queue_status")
    say(f"  Logs       {nice(stack.folder / 'log')}/\n")
    if names := overridden():
        say(f"  Note       .env sets {', '.join(names)}: manage.py follows it, not what runs here\n")
    say("Ctrl-C stops it all; the data stays for the next start.")


def main(folder: Path = LOCAL, root: Path = ROOT) -> int:
    """Return the exit status: 1 when it did not start, 0 when somebody stopped it."""
    begun = time.monotonic()
    try:
        stack = make_stack(folder, root)
        stack.handle_signals()
        say("Holdfast is starting; the first time takes a little longer.")
        with stack:
            password = ensure_login(stack)
            stack.publish()
            welcome(stack, password, time.monotonic() - begun)
            while True:
                time.sleep(3600)
    except StartError as error:
        say(f"\nIt did not start. {error}")
        return 1
    except (KeyboardInterrupt, Interrupted):
        say("Stopped.")
        return 0


if __name__ == "__main__":
    sys.exit(main())
