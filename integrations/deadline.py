"""Every read and write of these connections ends by one deadline.

A read timeout is per read: a server that sends one byte a second, in the body or in the headers, outlives it for ever.
So the deadline is put where all bytes pass, in the socket itself: before each read or write it may block no longer
than what is left of this thread's exchange. No timer thread is needed, and none can shut down a pooled socket that
meanwhile serves somebody else. The socket counts bytes too, which bounds headers and chunk sizes that the HTTP library
reads without a limit of its own.

A permit to send ends too: name lookup, connect and handshake may take seconds, so it is looked at once more when the
connection is there, before the request's first byte.

Not covered is the system's resolver, which cannot be interrupted: a name that takes longer than the deadline ends late,
by the resolver's own timeout, and then nothing is sent.
"""

import math
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import EmptyPoolError, HTTPError
from urllib3.util.ssl_ import create_urllib3_context

MAX_BODY = 5_000_000  # bytes, decompressed; the largest honest answer (100 people of a search) is about 100 kB
MAX_WIRE = MAX_BODY + 1_000_000  # bytes as they come, headers included

# Load balancers close idle connections after a minute or more. One that is older than this is not used again, lest it
# be closed just as a paid request is written to it.
IDLE = 20.0  # seconds
POOL = 64  # connections kept per vendor; more than a worker process has threads


class TooLarge(Exception):
    """More bytes came than any honest answer has."""


class PermitEnded(EmptyPoolError):
    """Not a byte of the request was sent: the permit to send it had ended by then.

    urllib3 lets errors of this base pass and leaves the connection alone, which is not to blame.
    """

    def __init__(self) -> None:
        HTTPError.__init__(self, "the permit ended before the request was sent")


class Exchange(threading.local):
    """An exchange is the one request that this thread is making."""

    ends_at = 0.0
    not_after = math.inf  # the instant by which its first byte must leave
    connect_timeout = 0.0
    read_timeout = 0.0
    received = 0
    sent = False  # whether a byte of the request may have left

    def begin(self, *, connect_timeout: float, read_timeout: float, deadline: float) -> None:
        """Start the clock; all three in seconds."""
        self.ends_at = time.monotonic() + deadline
        self.connect_timeout, self.read_timeout = connect_timeout, read_timeout
        self.received, self.sent = 0, False

    def left(self, at_most: float) -> float:
        """Return the seconds that the next step may take; raises TimeoutError when the deadline has passed."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("total deadline")
        return min(left, at_most)

    def check_permit(self) -> None:
        """Raises PermitEnded when nothing was sent in time."""
        if not self.sent and time.monotonic() > self.not_after:
            raise PermitEnded


exchange = Exchange()


@contextmanager
def sent_by(instant: float) -> Iterator[None]:
    """Have a request raise PermitEnded when its first byte cannot leave by `instant` (of time.monotonic)."""
    exchange.not_after = instant
    try:
        yield
    finally:
        exchange.not_after = math.inf


class DeadlineSocket(socket.socket):
    """This socket obeys the exchange of the thread that uses it."""

    last_used = 0.0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(exchange.left(exchange.read_timeout))
        count = super().recv_into(*args, **kwargs)
        self.last_used = time.monotonic()
        exchange.received += count
        if exchange.received > MAX_WIRE:
            raise TooLarge
        return count

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.before_sending()
        return super().send(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.before_sending()
        super().sendall(*args, **kwargs)

    def before_sending(self) -> None:
        try:
            exchange.check_permit()
        except PermitEnded:
            self.close()  # its connection is in the middle of a request and of no more use
            raise
        self.settimeout(exchange.left(exchange.read_timeout))
        exchange.sent = True


class DeadlineTLSSocket(DeadlineSocket, ssl.SSLSocket):
    """This socket does the same under TLS; the handshake is bounded by the connect timeout, and has sent nothing of the
    request."""


def connect(host: str, port: int) -> DeadlineSocket:
    """Open a connection to the first address that answers; all addresses together get no more than the deadline."""
    failure: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = DeadlineSocket(family, kind, protocol)
        try:
            sock.settimeout(exchange.left(exchange.connect_timeout))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            failure = error
            sock.close()
        else:
            sock.last_used = time.monotonic()
            return sock
    raise failure or OSError("no address")


class DeadlineConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return connect(self._dns_host, self.port or self.default_port)

    @property
    def is_connected(self) -> bool:
        """False makes urllib3 open a new connection."""
        idle = time.monotonic() - getattr(self.sock, "last_used", 0.0)
        return idle < IDLE and (super().is_connected or self.only_tickets())

    def only_tickets(self) -> bool:
        """Say whether what has come on the idle connection is TLS's own."""
        return False


class DeadlineTLSConnection(DeadlineConnection, HTTPSConnection):
    def only_tickets(self) -> bool:
        # A server sends session tickets after its handshake; they lie there unread until something is asked of it.
        # To urllib3 they look like a server that has hung up.
        if self.sock is None:
            return False
        self.sock.settimeout(0)
        try:
            self.sock.recv(1)
        except ssl.SSLWantReadError:
            return True
        except OSError:
            return False
        return False


class DeadlinePool(HTTPConnectionPool):
    ConnectionCls = DeadlineConnection

    def _get_conn(self, timeout: float | None = None) -> Any:
        """Return an open connection. One that took longer than the permit waits in the pool for the next try: otherwise
        a vendor whose handshake takes a second could never be called."""
        conn: Any = super()._get_conn(timeout)
        if conn.is_closed:
            try:
                conn.connect()
            except BaseException:
                conn.close()
                raise
            conn.sock.last_used = time.monotonic()
        try:
            exchange.check_permit()
        except PermitEnded:
            self._put_conn(conn)
            raise
        return conn


class DeadlineTLSPool(DeadlinePool, HTTPSConnectionPool):
    ConnectionCls = DeadlineTLSConnection


class DeadlineAdapter(HTTPAdapter):
    """Requests' pooled transport runs over these sockets here: no retries, no redirects, no cookies, no proxy, no
    netrc."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=POOL, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        context = create_urllib3_context()
        context.sslsocket_class = DeadlineTLSSocket
        super().init_poolmanager(*args, ssl_context=context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": DeadlinePool, "https": DeadlineTLSPool}


adapter = DeadlineAdapter()


def _forget_connections() -> None:
    adapter.poolmanager.clear()


# A forked worker must not share its parent's sockets.
os.register_at_fork(after_in_child=_forget_connections)
