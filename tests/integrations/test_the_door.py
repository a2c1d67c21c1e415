"""The one HTTP door, against servers that misbehave in every way that a socket allows."""

import gzip
import logging
import os
import signal
import socket
import ssl
import subprocess
import time
import traceback
import zlib
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from pytest_django import Settings

from integrations import deadline, http
from integrations.answers import Answer, by_status
from integrations.deadline import MAX_BODY, MAX_WIRE
from integrations.errors import FailureType, VendorError
from tests.integrations.conftest import KEYS, Serve
from tests.integrations.wire import Conversation, serving
from tests.integrations.wire import http as said

MEGABYTE = 1_000_000


def ask(**request: Any) -> Answer:
    """A call that no vendor's rules apply to."""
    return http.call(
        "millionverifier", by_status, "GET", "/api/v3/", params=[("api", KEYS["millionverifier"])], **request
    )


def refusal(**request: Any) -> VendorError:
    """The error of a call that fails, with what took longer than ten seconds refused."""
    begun = time.monotonic()
    with pytest.raises(VendorError) as caught:
        ask(**request)
    assert time.monotonic() - begun < 10
    return caught.value


def flood(talk: Conversation, start: bytes, piece: bytes) -> None:
    """Fifty megabytes, or as much as the client takes."""
    talk.send(start)
    while talk.sent < 50 * MEGABYTE and talk.send(piece):
        pass


# Proper JSON once decompressed: nothing but its size is wrong with it.
BOMB = b'{"a": "' + b"0" * 50 * MEGABYTE + b'"}'


def chunked(*chunks: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


def over_and_out(data: bytes) -> Any:
    """Say this and close."""
    return lambda talk: talk.send(data)


MALFORMED = {
    "garbage instead of HTTP": over_and_out(b"\x00\xff\x13\x37" * 400 + b"\r\n\r\n"),
    "a status line of 100 kB": over_and_out(b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n"),
    "a status that is no number": over_and_out(b"HTTP/1.1 fine OK\r\n\r\n{}"),
    "an empty body": said(200, b""),
    "no content at all": b"HTTP/1.1 204 No Content\r\n\r\n",
    "an HTML page": said(200, "<!doctype html><html>hello</html>", content_type="text/html"),
    "a page of the edge": said(403, "<html>error code: 1010</html>", content_type="text/html"),
    "half a JSON object": said(200, '{"a": 1, "b'),
    "a JSON list": said(200, [1, 2]),
    "a JSON string": said(200, '"{}"'),
    "JSON's impossible numbers": said(200, '{"a": NaN}'),
    "a number of ten thousand digits": said(200, '{"a": ' + "1" * 10_000 + "}"),
    "JSON nested 100,000 deep": said(200, '{"a":' * 100_000 + "1" + "}" * 100_000),
    "bytes that are no UTF-8": said(200, b'{"a": "\xff\xfe"}'),
    "something that claims to be gzip": said(200, b'{"a": 1}', content_encoding="gzip"),
    "gzip cut off in the middle": said(200, gzip.compress(b'{"a": 1}' * 500)[:30], content_encoding="gzip"),
    "a body shorter than announced": over_and_out(said(200, b'{"a": 1}', content_length="800")),
    "a body longer than announced": over_and_out(said(200, b'{"a": 1, "b": 2}', content_length="8")),
    "two lengths that differ": over_and_out(b"HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\n{}"),
    "chunks of no size": over_and_out(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
    "chunks that never end": over_and_out(chunked(b'{"a": 1}')),
    "50 MB of body": lambda talk: flood(talk, said(200, b"", content_length="50000000"), b"0" * 65_536),
    "50 MB of chunks": lambda talk: flood(talk, chunked(), b"10000\r\n" + b"0" * 65_536 + b"\r\n"),
    "50 MB in the size of a chunk": lambda talk: flood(talk, chunked(), b"0" * 65_536),
    "50 MB in one header": lambda talk: flood(talk, b"HTTP/1.1 200 OK\r\nx: ", b"0" * 65_536),
    "50 MB of headers": lambda talk: flood(talk, b"HTTP/1.1 200 OK\r\n", b"x: " + b"0" * 65_000 + b"\r\n"),
    "50 MB of good tidings": lambda talk: flood(talk, b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "50 MB as 50 kB of deflate": said(200, zlib.compress(BOMB), content_encoding="deflate"),
    "50 MB as 50 kB of gzip": said(200, gzip.compress(BOMB), content_encoding="gzip"),
    "50 MB twice compressed": said(200, gzip.compress(zlib.compress(BOMB)), content_encoding="deflate, gzip"),
}


@pytest.mark.parametrize("script", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_broken_answer_is_malformed_and_nothing_else(serve: Serve, script: Any) -> None:
    server = serve("millionverifier", script)
    error = refusal()
    assert error.failure_type == FailureType.MALFORMED
    assert error.sent
    assert len(server.received) == 1
    # Cut off, not read to its end: what the kernel had in its buffers comes on top of what was taken.
    assert sum(talk.sent for talk in server.connections) < MAX_WIRE + 15 * MEGABYTE


def test_the_largest_answer_still_passes(serve: Serve) -> None:
    body = b'{"a": "' + b"x" * (MAX_BODY - 9) + b'"}'
    serve("millionverifier", said(200, gzip.compress(body, 1), content_encoding="gzip"))
    assert len(ask().content) == MAX_BODY


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/elsewhere", "http://127.0.0.1:9/", "\xff\xfe", "//["])
def test_a_redirect_is_malformed_and_not_followed(serve: Serve, status: int, location: str) -> None:
    answer = f"HTTP/1.1 {status} Away\r\nlocation: {location}\r\ncontent-length: 2\r\n\r\n{{}}".encode("latin-1")
    server = serve("millionverifier", answer, said(200, {"followed": True}))
    error = refusal()
    assert (error.failure_type, error.http_status) == (FailureType.MALFORMED, status)
    assert len(server.received) == 1


def test_a_redirect_with_a_bomb_for_a_body_is_cut_off(serve: Serve) -> None:
    serve("millionverifier", said(302, zlib.compress(BOMB), location="/", content_encoding="deflate"))
    assert refusal().failure_type == FailureType.MALFORMED


BODY = b'{"a": "' + b"x" * 1000 + b'"}'
SLOW = {
    "in the status line": lambda talk: talk.trickle(said(200, BODY)),
    "in the headers": lambda talk: (talk.send(b"HTTP/1.1 200 OK\r\n"), talk.trickle(b"x-header: " + b"x" * 1000)),
    "in the body": lambda talk: (talk.send(said(200, BODY)[:-1000]), talk.trickle(b"x" * 1000)),
    "in a body without a length": lambda talk: (talk.send(b"HTTP/1.1 200 OK\r\n\r\n"), talk.trickle(BODY)),
    "in a chunk": lambda talk: (talk.send(chunked() + b"3e8\r\n"), talk.trickle(BODY)),
    "in the size of a chunk": lambda talk: (talk.send(chunked()), talk.trickle(b"0" * 1000)),
    "in gzip": lambda talk: (
        talk.send(said(200, b"", content_encoding="gzip", content_length="900")),
        talk.trickle(gzip.compress(bytes(range(256)) * 4)),
    ),
    "with patience asked for": lambda talk: talk.trickle(b"HTTP/1.1 100 Continue\r\n\r\n" * 50, gap=0.01),
}


@pytest.mark.parametrize("script", SLOW.values(), ids=SLOW.keys())
def test_a_byte_at_a_time_is_cut_off_at_the_total_deadline(serve: Serve, script: Any) -> None:
    # Each byte comes well inside the read timeout, so only the deadline can end it.
    serve("millionverifier", script, read_timeout=5.0, deadline=0.3)
    begun = time.monotonic()
    error = refusal()
    assert 0.25 < time.monotonic() - begun < 2.2
    assert (error.failure_type, error.sent) == (FailureType.TIMEOUT, True)


def test_silence_ends_at_the_read_timeout(serve: Serve) -> None:
    serve("millionverifier", lambda talk: talk.stopping.wait(), read_timeout=0.3, deadline=30.0)
    assert refusal().failure_type == FailureType.TIMEOUT


def test_a_probe_may_be_given_less_time_than_a_call(serve: Serve) -> None:
    serve("millionverifier", lambda talk: talk.stopping.wait(), read_timeout=30.0, deadline=30.0)
    assert refusal(longest=0.3).failure_type == FailureType.TIMEOUT


def test_a_refused_connection_has_sent_nothing(vendors: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    vendors.VENDORS["millionverifier"]["base_url"] = f"http://127.0.0.1:{port}"
    error = refusal()
    assert (error.failure_type, error.sent, error.http_status) == (FailureType.CONNECTION, False, None)


def test_an_unknown_host_has_sent_nothing(vendors: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    vendors.VENDORS["millionverifier"]["base_url"] = "http://vendor.invalid"
    error = refusal()
    assert (error.failure_type, error.sent) == (FailureType.CONNECTION, False)


def test_a_handshake_that_never_ends_has_sent_nothing(vendors: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        vendors.VENDORS["millionverifier"] |= {
            "base_url": f"https://127.0.0.1:{deaf.getsockname()[1]}",
            "connect_timeout": 0.3,
        }
        error = refusal()
    assert (error.failure_type, error.sent) == (FailureType.TIMEOUT, False)


BROKEN_OFF = {
    "reset at once": lambda talk: talk.reset(),
    "closed without a word": lambda talk: None,
    "reset in the headers": lambda talk: (talk.send(b"HTTP/1.1 200 OK\r\nx: "), talk.reset()),
    "reset in the body": lambda talk: (talk.send(said(200, BODY)[:-100]), talk.stopping.wait(0.2), talk.reset()),
}


@pytest.mark.parametrize("script", BROKEN_OFF.values(), ids=BROKEN_OFF.keys())
def test_a_connection_that_breaks_may_have_been_charged(serve: Serve, script: Any) -> None:
    server = serve("millionverifier", script)
    error = refusal()
    assert (error.failure_type, error.sent) == (FailureType.CONNECTION, True)
    assert len(server.received) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_nothing_is_retried_whatever_the_vendor_suggests(serve: Serve, status: int) -> None:
    server = serve("millionverifier", said(status, {}, retry_after="0"), said(200, {}))
    assert refusal().retry_after == 0
    assert len(server.received) == 1


def test_a_second_call_uses_the_first_ones_connection(serve: Serve) -> None:
    server = serve("millionverifier", said(200, {}))
    ask()
    ask()
    assert (len(server.received), len(server.connections)) == (2, 1)


def test_a_connection_left_idle_is_not_trusted_with_a_paid_request(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve("millionverifier", said(200, {}))
    ask()
    monkeypatch.setattr(deadline, "IDLE", 0.0)
    ask()
    assert len(server.connections) == 2


def test_a_forked_process_makes_a_connection_of_its_own(serve: Serve) -> None:
    """Two processes that write to one socket would read each other's answers."""
    server = serve("millionverifier", said(200, {}))
    ask()
    if not (child := os.fork()):
        try:
            ask()
        except BaseException:  # noqa: BLE001  (pytest must not go on in the child)
            os._exit(1)
        os._exit(0)
    until, ended = time.monotonic() + 20, 0
    while not ended and time.monotonic() < until:
        time.sleep(0.01)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert (ended, status) == (child, 0)
    assert len(server.connections) == 2
    ask()  # and ours is as good as it was
    assert (len(server.received), len(server.connections)) == (3, 2)


def slow_to_connect(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """As after a lost packet."""
    connect = deadline.DeadlineSocket.connect

    def slowly(self: deadline.DeadlineSocket, address: Any) -> None:
        time.sleep(seconds)
        connect(self, address)

    monkeypatch.setattr(deadline.DeadlineSocket, "connect", slowly)


def ask_within(seconds: float) -> Answer:
    with deadline.sent_by(time.monotonic() + seconds):
        return ask()


def test_a_request_whose_permit_ends_while_it_connects_is_not_sent_and_the_connection_waits_for_the_next(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve("millionverifier", said(200, {}))
    slow_to_connect(monkeypatch, 0.2)
    with pytest.raises(deadline.PermitEnded):
        ask_within(0.1)
    assert server.received == []
    assert ask_within(0.1).body == {}
    ask()  # and this thread may send again without a permit
    assert (len(server.received), len(server.connections)) == (2, 1)
    assert not caplog.records


def test_a_thread_that_is_held_up_before_its_first_byte_sends_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve("millionverifier", said(200, {}))
    ask()
    request = deadline.DeadlineConnection.request

    def held_up(self: deadline.DeadlineConnection, *args: Any, **kwargs: Any) -> None:
        time.sleep(0.2)
        request(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(deadline.DeadlineConnection, "request", held_up)
        with pytest.raises(deadline.PermitEnded):
            ask_within(0.1)
    assert len(server.received) == 1
    ask()
    assert len(server.received) == 2


def test_a_connection_that_fails_under_a_permit_is_the_vendors_fault(
    vendors: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_to_connect(monkeypatch, 0.2)
    with deadline.sent_by(time.monotonic() + 0.1):
        assert refusal().failure_type == FailureType.CONNECTION


def test_a_pooled_connection_obeys_the_deadline_of_the_call_that_uses_it(serve: Serve) -> None:
    server = serve("millionverifier", said(200, {}), lambda talk: talk.trickle(b"HTTP/1.1 200 OK\r\n" * 100))
    ask()
    begun = time.monotonic()
    assert refusal(longest=0.4).failure_type == FailureType.TIMEOUT
    assert time.monotonic() - begun < 2
    assert len(server.connections) == 1


def test_the_environment_sends_nothing_anywhere(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server = serve("millionverifier", said(200, {}, set_cookie="session=1; Path=/"))
    ask()
    ask()
    assert server.last.headers.keys() == {"host", "user-agent", "accept", "accept-encoding"}


def test_we_say_who_we_are(serve: Serve, vendors: Settings) -> None:
    server = serve("millionverifier", said(200, {}))
    ask()
    assert server.last.headers["user-agent"] == vendors.USER_AGENT


@pytest.mark.parametrize("key", ["", "two\r\nlines", "ключ"])
def test_an_unusable_key_is_not_sent(serve: Serve, vendors: Settings, key: str) -> None:
    server = serve("millionverifier", said(200, {}))
    vendors.VENDORS["millionverifier"]["api_key"] = key
    error = refusal()
    assert (error.failure_type, error.sent) == (FailureType.AUTH, False)
    assert not server.received


def test_text_that_cannot_be_encoded_is_the_leads_own_fault(serve: Serve) -> None:
    server = serve("millionverifier", said(200, {}))
    with pytest.raises(VendorError) as caught:
        http.call("millionverifier", by_status, "GET", "/", params=[("email", "\ud800@acme.test")])
    assert (caught.value.failure_type, caught.value.sent) == (FailureType.INVALID_REQUEST, False)
    assert not server.received


@pytest.mark.skipif(which("openssl") is None, reason="needs the openssl command for a certificate of its own")
@pytest.mark.processes
def test_the_deadline_holds_under_tls(vendors: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = deadline.connect
    dialled: list[int] = []

    def dial(host: str, port: int) -> deadline.DeadlineSocket:
        dialled.append(port)
        return connect(host, port)

    monkeypatch.setattr(deadline, "connect", dial)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with serving(said(200, {}), lambda talk: talk.trickle(said(200, BODY)), tls=context) as server:
        vendors.VENDORS["millionverifier"]["base_url"] = server.url
        strange = refusal()
        assert (strange.failure_type, strange.sent) == (FailureType.CONNECTION, False)
        deadline.adapter.poolmanager.connection_pool_kw["ssl_context"].load_verify_locations(tmp_path / "cert.pem")
        with pytest.raises(deadline.PermitEnded):
            ask_within(-1.0)
        assert server.received == []
        assert ask_within(1.0).body == {}
        begun = time.monotonic()
        assert refusal(longest=0.5).failure_type == FailureType.TIMEOUT
        assert 0.4 < time.monotonic() - begun < 2.5
        assert len(dialled) == 2  # the strange one, and one for all that was asked since


ADDRESS = "ida.locke+x@acme.test"
TELLTALES = (KEYS["millionverifier"], "ida.locke", "ida%2E", "locke")
LEAKS = {
    "refused with the key in its words": said(401, {"error": f"key {KEYS['millionverifier']} of {ADDRESS} unknown"}),
    "an edge that quotes the URL": said(
        403, f"<p>/api/v3/?api={KEYS['millionverifier']}&email=ida.locke%2Bx%40acme.test"
    ),
    "headers that are none": b"HTTP/1.1 200 OK\r\nx-fine: 1\r\n no header at all\r\nbroken\r\n\r\n{}",
    "a request id with the key": said(500, {}, x_request_id=KEYS["millionverifier"]),
    **{name: MALFORMED[name] for name in ("garbage instead of HTTP", "something that claims to be gzip")},
    **BROKEN_OFF,
    "silence": lambda talk: talk.stopping.wait(),
}


@pytest.mark.parametrize("script", LEAKS.values(), ids=LEAKS.keys())
def test_no_key_and_no_address_in_errors_tracebacks_and_logs(
    serve: Serve, caplog: pytest.LogCaptureFixture, script: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "urllib3.connection", "urllib3.connectionpool"):
        caplog.set_level(logging.DEBUG, logger=name)
    server = serve("millionverifier", script, read_timeout=0.5)
    with pytest.raises(VendorError) as caught:
        http.call(
            "millionverifier",
            lambda answer: by_status(answer) or FailureType.SERVER_ERROR,
            "GET",
            "/api/v3/",
            params=[("api", KEYS["millionverifier"]), ("email", ADDRESS)],
        )
    error = caught.value
    assert KEYS["millionverifier"] in server.last.target
    assert (error.__cause__, error.__context__) == (None, None)
    printed = "".join(traceback.format_exception(error)) + repr(vars(error)) + repr(error) + str(error) + caplog.text
    assert caplog.records
    assert not [telltale for telltale in TELLTALES if telltale.lower() in printed.lower()]
