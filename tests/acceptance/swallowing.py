"""A proxy before the sandbox that loses answers after the vendor has done, and charged, its work."""

import http.client
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class Listening(ThreadingHTTPServer):
    """Every worker thread may connect at once: the standard library lets five wait, and the sixth loses seconds."""

    daemon_threads = True
    request_queue_size = 128


class Swallowing:
    """Listens on `url` and asks `target`; each kind of loss hits its `share` of the answers.

    `closed`: not a byte comes back. `stalled`: none does for longer than any deadline. `cut`: half of what the headers
    promise. `garbled`: half of the body, and headers that fit it.
    """

    KINDS = ("closed", "stalled", "cut", "garbled")

    def __init__(self, share: float, stall: float, seed: int) -> None:
        self.share, self.stall, self.chance = share, stall, random.Random(seed)
        self.lock, self.target, self.lost = threading.Lock(), "", dict.fromkeys(self.KINDS, 0)
        self.server = Listening(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> "Swallowing":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def next(self) -> str:
        """How the answer at hand is lost; '' if it is not."""
        with self.lock:
            if self.chance.random() >= self.share:
                return ""
            kind = self.chance.choice(self.KINDS)
            self.lost[kind] += 1
            return kind

    def handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                vendor = http.client.HTTPConnection(proxy.target.removeprefix("http://"), timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
                vendor.request(self.command, self.path, body, headers)
                answer = vendor.getresponse()
                content = answer.read()
                vendor.close()
                loss = proxy.next()
                if loss == "stalled":
                    time.sleep(proxy.stall)
                if loss in ("closed", "stalled"):
                    self.close_connection = True
                    return
                sent = content[: len(content) // 2] if loss in ("cut", "garbled") else content
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(sent if loss == "garbled" else content)))
                self.end_headers()
                self.wfile.write(sent)
                if loss == "cut":
                    self.close_connection = True

            do_GET = do_POST = do_PATCH = do_DELETE = pass_on

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
