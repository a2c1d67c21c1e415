"""The sockets are here: one HTTP/1.1 server serves all five vendors and the control desk, a thread a connection."""

import contextlib
import os
import select
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from integrations.sandbox import control
from integrations.sandbox.apollo.vendor import Apollo
from integrations.sandbox.exchange import Answer, Request
from integrations.sandbox.faults import Faults
from integrations.sandbox.instantly.vendor import Instantly
from integrations.sandbox.ledger import Ledger
from integrations.sandbox.loopback import loopback
from integrations.sandbox.millionverifier.vendor import MillionVerifier
from integrations.sandbox.openai.vendor import OpenAI
from integrations.sandbox.perplexity.vendor import Perplexity
from integrations.sandbox.vendor import Vendor
from integrations.sandbox.world import people

# The largest request body that any of the five accepts (Perplexity: 32 MiB).
MAX_BODY = 32 * 1024 * 1024
# How long a call under the fault `timeout` is held when its client does not hang up.
MAX_SILENCE = 300.0
POLL = 0.1


class Sandbox:
    """The sandbox is the server and all that it knows. Port 0 takes a free one; `url` says which.

    As a context manager it serves from a thread of its own and stops at the end, calls under way included. The command
    calls `serve` instead. Raises NotLoopback, or OSError when the port is taken.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.vendors: list[Vendor] = [Apollo(), MillionVerifier(), Perplexity(), OpenAI(), Instantly()]
        people.invent_everybody()
        services = [vendor.name for vendor in self.vendors]
        self.faults = Faults(services)
        self.ledger = Ledger(services)
        self.control = control.Control(self.vendors, self.faults, self.ledger)
        self.stopping = threading.Event()
        self._server = _Server(loopback(host), port, self)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_address[1]}"
        self._thread: threading.Thread | None = None

    def serve(self) -> None:
        """Serve until `stop`, or an exception in this thread."""
        self._server.serve_forever(poll_interval=POLL)

    def start(self) -> None:
        self._thread = threading.Thread(target=self.serve, name="sandbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and hang up on whoever is connected."""
        self.stopping.set()
        if self._thread:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        for vendor in self.vendors:
            vendor.stop()
        self._server.hang_up()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def vendor_of(self, path: str) -> Vendor | None:
        return next((vendor for vendor in self.vendors if f"{path}/".startswith(f"{vendor.prefix}/")), None)


class _Server(ThreadingHTTPServer):
    # Threads that hold a call under the fault `timeout` must keep neither the process nor the port.
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, host: str, port: int, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._open: set[socket.socket] = set()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without the name lookup of the parent, which can take seconds where there is no resolver."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is nobody's error; anything else is a bug here and shows its traceback."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    # Keep-alive without an idle limit: a connection closed by this side just when the client reuses it would be a fault
    # that nobody ordered.
    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024
    server: _Server

    def version_string(self) -> str:
        return "sandbox"

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: paths hold keys and addresses, and the ledger has the calls."""

    def _serve(self) -> None:
        arrived = time.time()
        sandbox = self.server.sandbox
        target = urlsplit(self.path)
        body = self._body()
        if body is None:
            return
        if target.path == control.PREFIX or target.path.startswith(f"{control.PREFIX}/"):
            path = target.path.removeprefix(control.PREFIX)
            self._send(sandbox.control.answer(Request(self.command, path, target.query, self.headers, body)))
        elif vendor := sandbox.vendor_of(target.path):
            path = target.path.removeprefix(vendor.prefix)
            self._call(vendor, Request(self.command, path, target.query, self.headers, body), arrived)
        else:
            prefixes = ", ".join([control.PREFIX, *(vendor.prefix for vendor in sandbox.vendors)])
            self._send(Answer.json(404, {"detail": f"Nothing here. The sandbox answers under {prefixes}."}))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

    def _call(self, vendor: Vendor, request: Request, arrived: float) -> None:
        """Serve one call to a vendor: noted on arrival, charged when the work is done, closed before the answer
        leaves."""
        sandbox = self.server.sandbox
        route = vendor.route(request)
        call = sandbox.ledger.arrive(
            at=arrived,
            service=vendor.name,
            method=request.method,
            path=request.path,
            keys=vendor.keys(request, route),
            probe=route is not None and route.probe,
        )
        setting, fault = sandbox.faults.next(vendor.name)
        call.fault = fault
        if fault == "connection_reset":
            # The line breaks before the vendor has read anything: no work, no charge.
            sandbox.ledger.end(call, None)
            self._reset()
            return
        if sandbox.stopping.wait(setting.latency_ms / 1000):
            sandbox.ledger.end(call, None)
            self.close_connection = True
            return
        if fault == "timeout":
            if vendor.bills_unheard:
                sandbox.ledger.charge(call, vendor.answer(request, "none", setting).charges)
            self._keep_silent()
            sandbox.ledger.end(call, None)
            return
        answer = vendor.answer(request, fault, setting)
        sandbox.ledger.charge(call, answer.charges)
        gone = self._client_gone()
        sandbox.ledger.end(call, None if gone else answer.status)
        if gone:
            self.close_connection = True
        elif not self._send(answer):
            sandbox.ledger.end(call, None)

    def _body(self) -> bytes | None:
        """Read the request's body, or None when it was refused or never came."""
        length = self.headers.get("Content-Length") or "0"
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower() or not length.isdecimal():
            self.close_connection = True
            self._send(Answer.json(411, {"detail": "Send a Content-Length."}))
            return None
        if int(length) > MAX_BODY:
            self.close_connection = True
            self._send(Answer.json(413, {"detail": f"More than {MAX_BODY} bytes."}))
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return None
        return body

    def _send(self, answer: Answer) -> bool:
        """Send head and body in one go. False when the client was gone."""
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        try:
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            self.wfile.flush()
        except OSError:
            self.close_connection = True
            return False
        return True

    def _client_gone(self) -> bool:
        try:
            return self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _keep_silent(self) -> None:
        """Accept and do not answer until the client hangs up, the sandbox stops, or minutes have passed."""
        deadline = time.monotonic() + MAX_SILENCE
        # Not select(), which fails beyond 1024 files.
        poll = select.poll()
        poll.register(self.connection, select.POLLIN | select.POLLHUP | select.POLLERR)
        while time.monotonic() < deadline and not self.server.sandbox.stopping.is_set():
            if poll.poll(POLL * 1000) and self._client_gone():
                break
        self.close_connection = True

    def _reset(self) -> None:
        """Send a real RST: linger 0, and the file closed below Python, since shutdown() would send a FIN first."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())
