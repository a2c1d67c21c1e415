"""Servers that say exactly what a test tells them to, byte by byte, over real sockets."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Respond = Callable[["Conversation"], None]


@dataclass
class Received:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Conversation:
    """One connection. `send` returns False once the client has gone."""

    sock: socket.socket
    stopping: threading.Event
    sent: int = 0

    def send(self, data: bytes) -> bool:
        try:
            self.sock.sendall(data)
        except OSError:
            return False
        self.sent += len(data)
        return True

    def trickle(self, data: bytes, gap: float = 0.1) -> None:
        """One byte at a time."""
        for byte in data:
            if self.stopping.wait(gap) or not self.send(bytes([byte])):
                return

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()


@dataclass
class Server:
    url: str
    received: list[Received] = field(default_factory=list)
    connections: list[Conversation] = field(default_factory=list)

    @property
    def last(self) -> Received:
        return self.received[-1]


def http(status: int, body: object, **headers: str) -> bytes:
    """A proper answer; `body` is bytes, text, or whatever JSON can say."""
    text = body if isinstance(body, bytes | str) else json.dumps(body)
    content = text.encode() if isinstance(text, str) else text
    kind = "application/json" if not isinstance(body, bytes | str) else "text/plain"
    fields = {"content-type": kind, "content-length": str(len(content))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + content


def read_request(sock: socket.socket) -> Received | None:
    """The next request of a connection, None when the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65_536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += sock.recv(65_536)
    method, target, _ = first.split(" ")
    return Received(method, target, headers, body)


@contextmanager
def serving(*script: bytes | Respond, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server whose n-th request is answered by the n-th of `script`, and every later one by the last."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()
    server = Server(f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}")
    threads: list[threading.Thread] = []

    def converse(sock: socket.socket) -> None:
        with suppress(OSError), sock, tls.wrap_socket(sock, server_side=True) if tls else sock as heard:
            talk = Conversation(heard, stopping)
            server.connections.append(talk)
            while (request := read_request(talk.sock)) is not None:
                server.received.append(request)
                said = script[min(len(server.received), len(script)) - 1]
                if isinstance(said, bytes):
                    talk.send(said)
                else:
                    said(talk)
                    return

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=converse, args=(sock,), daemon=True))
            threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        stopping.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for talk in server.connections:
            with suppress(OSError):
                talk.sock.shutdown(socket.SHUT_RDWR)
        for thread in (acceptor, *threads):
            thread.join(5)
            assert not thread.is_alive()
