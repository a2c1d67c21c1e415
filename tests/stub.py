"""A project with the same commands as Holdfast and nothing inside: what starts, restarts and stops processes is tested
with it, in seconds."""

from pathlib import Path

MANAGE = """
import http.server, os, signal, subprocess, sys, time
import psycopg

command = sys.argv[1]
if command == os.environ.get("STUB_FAILS"):
    sys.exit("stub: " + command + " fails as it was told to")
if os.environ.get("STUB_STUBBORN"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

def sign(role, count=1):
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        for number in range(count):
            connection.execute("INSERT INTO processes VALUES (%s, clock_timestamp())", (role,))

if command == "migrate":
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS processes (role text, seen_at timestamptz)")
if command == "sandbox":
    port = int(sys.argv[sys.argv.index("--port") + 1])
    http.server.HTTPServer(("127.0.0.1", port), http.server.BaseHTTPRequestHandler).serve_forever()
if command == "rundramatiq":
    sleeper = subprocess.Popen(["sleep", "600"])  # a descendant in the same group, told as dramatiq tells its own
    if not os.environ.get("STUB_STUBBORN"):
        signal.signal(signal.SIGTERM, lambda *_: sleeper.terminate())
    while sleeper.poll() is None:
        sign("worker", int(sys.argv[sys.argv.index("--processes") + 1]))
        time.sleep(0.2)
if command == "supervise":
    while True:
        sign("supervisor")
        time.sleep(0.2)
"""
WSGI = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"stub"]
"""


def make_project(folder: Path) -> Path:
    """The project's root inside `folder`."""
    config = folder / "stub project" / "config"
    config.mkdir(parents=True)
    (config.parent / "manage.py").write_text(MANAGE)
    (config / "__init__.py").touch()
    local = config.parent / "local"
    local.mkdir()
    (local / "__init__.py").touch()
    (local / "admin_login.py").touch()
    (config / "wsgi.py").write_text(WSGI)
    return config.parent
