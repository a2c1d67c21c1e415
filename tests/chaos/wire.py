"""A wire is a TCP proxy before a server of a stack: it does to connections what no signal does to a process."""

import asyncio
import contextlib
import threading
from collections.abc import Callable

CHUNK = 65536


class Wire:
    """Listens on `port` of loopback and passes everything to `target`, unless it was told otherwise.

    It is ordered from any thread. While it is frozen nothing passes, either way, and nobody hears that; while it
    refuses, a new connection is closed at once.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.delay = 0.0  # seconds, before each answer
        self.refuses = False
        self.lost = 0
        self.to_lose, self.pattern = 0, b""
        self.loop = asyncio.new_event_loop()
        self.connections: set[asyncio.StreamWriter] = set()
        self.thread = threading.Thread(target=self.run, name=f"wire to {target}", daemon=True)
        self.listens = threading.Event()

    def start(self) -> None:
        self.thread.start()
        self.listens.wait(10)

    def stop(self) -> None:
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.ended.set)
            self.thread.join(10)

    def freeze(self) -> None:
        self.order(self.flows.clear)

    def thaw(self) -> None:
        self.order(self.flows.set)

    def cut(self) -> None:
        """End every connection at once, with an RST where something was under way."""
        self.order(self.abort_all)

    def lose(self, times: int, pattern: bytes = b"") -> None:
        """Keep the next answers that contain the pattern, and end their connections instead."""
        self.pattern, self.to_lose = pattern, times

    def order(self, what: Callable[[], object]) -> None:
        self.loop.call_soon_threadsafe(what)

    def abort_all(self) -> None:
        for writer in tuple(self.connections):
            writer.transport.abort()

    def run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self.loop.run_until_complete(self.serve())
        self.loop.close()

    async def serve(self) -> None:
        self.flows, self.ended = asyncio.Event(), asyncio.Event()
        self.flows.set()
        server = await asyncio.start_server(self.connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.listens.set()
        await self.ended.wait()
        server.close()
        self.abort_all()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.transport.abort()
            return
        try:
            answers, asks = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self.connections |= {writer, asks}
        try:
            await asyncio.gather(self.pump(reader, asks), self.pump(answers, writer, answers=True))
        except (OSError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.connections -= {writer, asks}
            for end in (writer, asks):
                end.transport.abort()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False) -> None:
        while data := await reader.read(CHUNK):
            await self.flows.wait()
            if answers:
                if self.delay:
                    await asyncio.sleep(self.delay)
                if self.to_lose and self.pattern in data:
                    self.to_lose -= 1
                    self.lost += 1
                    raise ConnectionError
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()
