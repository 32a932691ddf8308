"""The guard against real servers on loopback that answer late, badly, endlessly, or not at all."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest

from tests.shared.egress.peers import Peer, Script, Visit, answer, drip, in_turn, say, serving
from tollgate import errors
from tollgate.egress import Answer, BadAnswer, Egress, EgressFailure, RequestRefused, TargetRefused, TimedOut

LIMIT = 1_000_000
DEADLINE = 0.3
SLACK = 0.5  # what a busy machine may add to the deadline before the test calls it broken


def call(
    peer: Peer,
    path: str = "/",
    method: str = "GET",
    body: bytes | None = None,
    *,
    seconds: float = 5.0,
    limit: int = LIMIT,
) -> Answer:
    egress = Egress([peer.listed])
    return egress.request(method, peer.url + path, [], body, deadline_seconds=seconds, max_response_bytes=limit)


def failure(peer: Peer, kind: type[EgressFailure], *, seconds: float = 5.0, limit: int = LIMIT) -> EgressFailure:
    with pytest.raises(kind) as raised:
        call(peer, seconds=seconds, limit=limit)
    return raised.value


class TestWhatIsSent:
    def test_the_request_target_goes_out_byte_for_byte(self) -> None:
        with serving(answer()) as peer:
            call(peer, "/a%2Fb//c;v=1/../d?x=1&x=2&=&y=%20+{z}")
        assert peer.visits[0].request.split(b"\r\n")[0] == b"GET /a%2Fb//c;v=1/../d?x=1&x=2&=&y=%20+{z} HTTP/1.1"

    def test_an_empty_path_becomes_a_slash_and_host_names_the_port(self) -> None:
        with serving(answer()) as peer:
            call(peer, "")
            call(peer, "?x")
        lines = peer.visits[0].request.decode().split("\r\n")
        assert lines[0] == "GET / HTTP/1.1"
        assert lines[1] == f"host: 127.0.0.1:{peer.port}"
        assert peer.visits[1].request.startswith(b"GET /?x HTTP/1.1\r\n")

    def test_headers_keep_order_case_and_repetition_and_nothing_is_added_but_our_own(self) -> None:
        headers = [("X-Own-Key", "a"), ("x-own-key", "b"), ("Content-Type", "text/plain"), ("Z", "\u00e9")]
        with serving(answer()) as peer:
            Egress([peer.listed]).request(
                "POST", peer.url, headers, b"12345", deadline_seconds=5, max_response_bytes=LIMIT
            )
        lines = peer.visits[0].request.split(b"\r\n")
        own = [f"host: {peer.listed}".encode(), b"accept-encoding: identity", b"connection: close"]
        sent = [b"X-Own-Key: a", b"x-own-key: b", b"Content-Type: text/plain", b"Z: \xe9", b"content-length: 5"]
        assert lines == [b"POST / HTTP/1.1", *own, *sent, b"", b"12345"]

    def test_a_body_of_any_bytes_arrives_whole(self) -> None:
        body = bytes(range(256)) * 2000
        with serving(answer()) as peer:
            call(peer, method="PUT", body=body)
        assert peer.visits[0].request.endswith(b"\r\n\r\n" + body)

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
    def test_an_empty_body_is_declared(self, method: str) -> None:
        with serving(answer()) as peer:
            call(peer, method=method)
        assert b"\r\ncontent-length: 0\r\n" in peer.visits[0].request

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("x-a", "b\r\nx-c: d"),
            ("x-a", "b\nc"),
            ("x-a", "b\rc"),
            ("x-a", "b\0c"),
            ("x-a", "b\r\n c"),
            ("x-a", "\u20ac"),
            ("x-a\r\nx-c", "d"),
            ("x a", "b"),
            ("x-a:", "b"),
            ("", "b"),
            ("x-\u00e9", "b"),
            ("Host", "evil.example"),
            ("content-length", "5"),
            ("Transfer-Encoding", "chunked"),
            ("connection", "keep-alive"),
            ("TE", "trailers"),
            ("trailer", "x"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("proxy-authorization", "Basic x"),
            ("accept-encoding", "br"),
        ],
    )
    def test_a_header_that_would_change_the_message_is_refused(self, name: str, value: str) -> None:
        with serving(answer()) as peer, pytest.raises(RequestRefused) as refusal:
            Egress([peer.listed]).request(
                "GET", peer.url, [(name, value)], deadline_seconds=5, max_response_bytes=LIMIT
            )
        assert peer.dials == 0
        assert isinstance(refusal.value, errors.Malformed)
        assert refusal.value.sent is False
        assert refusal.value.faults[0].message == "The request to the destination is not valid"

    @pytest.mark.parametrize("method", ["CONNECT", "TRACE", "get", "", "GET /x HTTP/1.1\r\nx: y\r\n\r\nGET"])
    def test_a_strange_method_is_refused(self, method: str) -> None:
        with serving(answer()) as peer, pytest.raises(RequestRefused):
            call(peer, method=method)
        assert peer.dials == 0

    def test_no_proxy_of_the_environment_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with serving(answer(b"proxy")) as proxy, serving(answer(b"peer")) as peer:
            for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
            assert call(peer).body == b"peer"
        assert proxy.dials == 0

    def test_no_cookie_comes_back(self) -> None:
        with serving(answer(b"", "200 OK", "set-cookie: a=b; path=/")) as peer:
            egress = Egress([peer.listed])
            for _ in range(2):
                egress.request("GET", peer.url, deadline_seconds=5, max_response_bytes=LIMIT)
        assert b"cookie" not in peer.visits[1].request.lower()


class TestWhatComesBack:
    @pytest.mark.parametrize("status", ["200 OK", "201 Created", "401 Unauthorized", "404 Not Found", "503 ", "599 X"])
    def test_any_status_is_an_answer(self, status: str) -> None:
        with serving(answer(b"body", status)) as peer:
            assert call(peer)[0::2] == (int(status[:3]), b"body")

    @pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
    def test_a_redirect_is_an_answer_and_is_not_followed(self, status: str) -> None:
        with serving(answer(b"secret")) as other:
            moved = answer(b"", f"{status} Moved", f"location: {other.url}/latest/meta-data/")
            with serving(moved) as peer:
                assert call(peer).status == int(status)
        assert other.dials == 0
        assert peer.dials == 1

    @pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
    def test_an_answer_without_a_body(self, status: str) -> None:
        with serving(say(f"HTTP/1.1 {status}\r\n\r\n".encode())) as peer:
            assert call(peer).body == b""

    def test_head_has_no_body_whatever_its_length_says(self) -> None:
        with serving(say(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n")) as peer:
            assert call(peer, method="HEAD").body == b""

    def test_a_body_that_ends_with_the_connection(self) -> None:
        with serving(say(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")) as peer:
            assert call(peer).body == b"until the end"

    def test_chunks_are_put_together_and_their_marks_left_out(self) -> None:
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-a: 1\r\nX-A: 2\r\n\r\n"
        with serving(say(head + b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nx-t: 1\r\n\r\n")) as peer:
            received = call(peer)
        assert received.body == b"abcde"
        assert received.headers == [("x-a", "1"), ("X-A", "2")]
        assert received.header("X-a") == "1"
        assert received.header("transfer-encoding") is None

    @pytest.mark.parametrize(
        ("coding", "pack"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)]
    )
    def test_an_encoded_body_is_decoded_though_nobody_asked_for_it(self, coding: str, pack: object) -> None:
        packed = pack(b"plain " * 1000)  # type: ignore[operator]
        with serving(answer(packed, "200 OK", f"content-encoding: {coding}", "vary: x")) as peer:
            received = call(peer)
        assert received.body == b"plain " * 1000
        assert received.headers == [("vary", "x")]

    def test_an_answer_never_shows_its_content_in_a_log(self) -> None:
        with serving(answer(b"4111111111111111", "200 OK", "x-pan: 4111111111111111")) as peer:
            assert repr(call(peer)) == "<Answer 200>"

    def test_a_continue_on_the_way_is_skipped(self) -> None:
        with serving(say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")) as peer:
            assert call(peer).body == b"ok"

    def test_an_early_refusal_of_a_large_body_is_heard(self) -> None:
        """A server may answer and hang up without reading what it was sent."""
        with Peer(answer(b"too much", "413 Too Large"), reads_request=False) as peer:
            assert call(peer, method="POST", body=bytes(8_000_000)).status == 413


BAD_HTTP = {
    "nothing at all": b"",
    "another protocol": b"SSH-2.0-OpenSSH_9.9\r\n",
    "no status": b"HTTP/1.1\r\n\r\n",
    "a status of letters": b"HTTP/1.1 OK\r\n\r\n",
    "a status too small": b"HTTP/1.1 099 X\r\n\r\n",
    "a status too large": b"HTTP/1.1 600 X\r\n\r\n",
    "a switch of protocol": b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n",
    "hints and no answer": b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "version nine": b"HTTP/9.9 200 OK\r\n\r\n",
    "headers cut off": b"HTTP/1.1 200 OK\r\ncontent-le",
    "a body cut off": b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabcde",
    "a negative chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n",
    "a chunk of letters": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\nabc\r\n",
    "a chunk cut off": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 300 + b"\r\n",
    "a header too long": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
    "a header with NUL": b"HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n",
    "a folded header": b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n",
    "an unknown encoding": b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 3\r\n\r\nabc",
    "encodings upon encodings": b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip, gzip\r\ncontent-length: 0\r\n\r\n",
    "gzip that is none": b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
}


class TestBadAnswers:
    @pytest.mark.parametrize("raw", BAD_HTTP.values(), ids=BAD_HTTP.keys())
    def test_what_is_not_http_is_a_bad_answer(self, raw: bytes) -> None:
        with serving(say(raw)) as peer:
            problem = failure(peer, BadAnswer)
        assert isinstance(problem, errors.UpstreamRefused)
        assert problem.sent is True

    def test_a_reset_after_the_request(self) -> None:
        with serving(Visit.reset) as peer:
            assert failure(peer, BadAnswer).sent is True

    def test_a_reset_in_the_middle_of_the_body(self) -> None:
        with serving(in_turn(say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc"), Visit.reset)) as peer:
            assert failure(peer, BadAnswer).sent is True

    def test_nobody_listening_is_certainly_not_sent(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as once:
            port = once.getsockname()[1]
        with pytest.raises(BadAnswer) as problem:
            Egress([f"127.0.0.1:{port}"]).request(
                "POST", f"http://127.0.0.1:{port}/", [], b"x", deadline_seconds=5, max_response_bytes=1
            )
        assert problem.value.sent is False

    def test_a_failure_carries_nothing_of_the_exchange(self) -> None:
        with serving(say(b"4111111111111111 HTTP\r\n")) as peer, pytest.raises(BadAnswer) as problem:
            call(peer, "/secret-path?key=secret-key")
        told = f"{problem.value!s} {problem.value!r} {problem.value.reason} {problem.value.__suppress_context__}"
        assert told.endswith("True")
        assert not any(text in told for text in ("411111", "secret", "127.0.0.1"))


@pytest.fixture
def stopwatch() -> Iterator[None]:
    """Fails a test whose body took longer than the deadline allows."""
    before = time.monotonic()
    yield
    assert time.monotonic() - before < DEADLINE + SLACK


def endless(first: bytes, again: bytes) -> Script:
    def script(visit: Visit) -> None:
        visit.send(first)
        while not visit.closing.is_set():
            visit.send(again)

    return script


OK = "HTTP/1.1 200 OK\r\n"
SLOW: dict[str, Script] = {
    "hangs before the headers": Visit.hang,
    "drips the status line": drip("HTTP/1.1 200 " + "O" * 1000),
    "drips the headers": drip(OK + "x: y\r\n" * 1000),
    "drips the body": in_turn(say(f"{OK}content-length: 9999\r\n\r\n"), drip("x" * 9999)),
    "drips the chunks": in_turn(say(f"{OK}transfer-encoding: chunked\r\n\r\n"), drip("1\r\nx\r\n" * 1000)),
    "drips a body without an end": in_turn(say(f"{OK}\r\n"), drip("x" * 9999)),
    "hangs in the body": in_turn(say(f"{OK}content-length: 3\r\n\r\nab"), Visit.hang),
    "drips one continue after the other": drip("HTTP/1.1 100 Continue\r\n\r\n" * 1000),
}


@pytest.mark.usefixtures("stopwatch")
class TestDeadline:
    @pytest.mark.parametrize("script", SLOW.values(), ids=SLOW.keys())
    def test_one_deadline_bounds_all_of_it(self, script: Script) -> None:
        with serving(script) as peer:
            problem = failure(peer, TimedOut, seconds=DEADLINE)
        assert isinstance(problem, errors.UpstreamTimeout)
        assert problem.sent is True

    def test_a_server_that_reads_too_slowly(self) -> None:
        with Peer(Visit.hang, reads_request=False) as peer, pytest.raises(TimedOut) as problem:
            call(peer, method="POST", body=bytes(50_000_000), seconds=DEADLINE)
        assert problem.value.sent is True

    def test_a_server_that_reads_a_little_now_and_then(self) -> None:
        def sip(visit: Visit) -> None:
            while not visit.closing.wait(DEADLINE / 10):
                visit.connection.recv(100_000)

        with Peer(sip, reads_request=False) as peer, pytest.raises(TimedOut) as problem:
            call(peer, method="POST", body=bytes(50_000_000), seconds=DEADLINE)
        assert problem.value.sent is True

    def test_a_connection_that_nobody_accepts_is_certainly_not_sent(self) -> None:
        """A listener whose queue is full lets nobody in: connecting takes as long as one lets it."""
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            port = full.getsockname()[1]
            waiting = [_knock(port) for _ in range(4)]
            with pytest.raises(TimedOut) as problem:
                Egress([f"127.0.0.1:{port}"]).request(
                    "GET", f"http://127.0.0.1:{port}/", deadline_seconds=DEADLINE, max_response_bytes=1
                )
            for knock in waiting:
                knock.close()
        assert problem.value.sent is False

    def test_a_deadline_in_the_past_sends_nothing(self) -> None:
        with serving(answer()) as peer:
            assert failure(peer, TimedOut, seconds=-1.0).sent is False
        assert peer.visits == []


def _knock(port: int) -> socket.socket:
    knock = socket.socket()
    knock.setblocking(False)
    knock.connect_ex(("127.0.0.1", port))
    return knock


class TestSize:
    def test_an_answer_of_exactly_the_limit_is_taken(self) -> None:
        with serving(answer(b"x" * 1000)) as peer:
            assert len(call(peer, limit=1000).body) == 1000

    def test_one_byte_more_is_not(self) -> None:
        with serving(answer(b"x" * 1001)) as peer:
            problem = failure(peer, BadAnswer, limit=1000)
        assert (problem.reason, problem.sent) == ("too large", True)

    def test_an_empty_answer_passes_a_limit_of_nothing(self) -> None:
        with serving(answer(b"")) as peer:
            assert call(peer, limit=0).body == b""

    @pytest.mark.parametrize(
        "script",
        [
            endless(b"HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n", b"x" * 65536),
            endless(b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 65536),
            endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
            endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1;" + b"e" * 60000 + b"\r\nx\r\n"),
            endless(
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"x-trailer: " + b"y" * 6000 + b"\r\n"
            ),
            endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"0" * 65536),
            endless(b"", b"HTTP/1.1 100 Continue\r\nx: y\r\n\r\n" * 1000),
            endless(b"HTTP/1.1 200 OK\r\n", b"x: " + b"y" * 60000 + b"\r\n"),
        ],
        ids=["100 MB", "no end", "chunks", "chunk extensions", "trailers", "a size of zeros", "continues", "headers"],
    )
    def test_an_endless_answer_is_left_early(self, script: Script) -> None:
        with serving(script) as peer:
            problem = failure(peer, BadAnswer, seconds=20.0, limit=LIMIT)
            assert problem.sent is True
        assert peer.visits[0].sent_bytes < 12_000_000  # what was asked for, and what the kernel's buffers hold

    @pytest.mark.parametrize("wrap", ["length", "chunked"])
    def test_a_gzip_bomb_is_refused_before_it_has_grown(self, wrap: str) -> None:
        packer = zlib.compressobj(9, wbits=31)
        bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(100)) + packer.flush()
        head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n"
        framed = {
            "length": head + b"content-length: %d\r\n\r\n" % len(bomb) + bomb,
            "chunked": head + b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(bomb) + bomb + b"\r\n0\r\n\r\n",
        }
        assert len(bomb) < LIMIT
        with serving(say(framed[wrap])) as peer:
            tracemalloc.start()
            try:
                assert failure(peer, BadAnswer).reason == "too large"
                _, peak_bytes = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert peak_bytes < 10 * LIMIT


class TestThreads:
    def test_one_guard_serves_many_threads(self) -> None:
        results: list[bytes] = []
        with serving(lambda visit: answer(visit.request.split(b" ")[1])(visit)) as peer:
            egress = Egress([peer.listed])

            def work(number: int) -> None:
                got = egress.request("GET", f"{peer.url}/{number}", deadline_seconds=9, max_response_bytes=99)
                results.append(got.body)

            threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
        assert sorted(results) == sorted(b"/%d" % number for number in range(20))


def test_a_target_that_is_not_listed_is_not_dialled() -> None:
    with serving(answer()) as peer:
        with pytest.raises(TargetRefused):
            Egress([]).request("GET", peer.url, deadline_seconds=1, max_response_bytes=1)
        with pytest.raises(TargetRefused):
            Egress([f"localhost:{peer.port}"]).request("GET", peer.url, deadline_seconds=1, max_response_bytes=1)
    assert peer.dials == 0
