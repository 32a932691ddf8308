"""The front door over raw sockets: byte-exact targets, hostile requests, sizes and waits.

The function behind it is a stand-in that returns its event, so that a test sees exactly what a function would get.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from local.events import Route
from local.front_door import FrontDoor, refusal
from local.http_server import HttpServer, Limits
from local.routes import RouteTable
from local.workers import Ending, Outcome

LIMITS = Limits(head=10 * 1024, body=100_000, idle=5.0, head_wait=0.3, body_wait=0.3)
Exchange = Callable[..., Awaitable["Answer"]]


class Answer:
    """One answer, read from a raw stream."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


async def read_answer(reader: asyncio.StreamReader, *, has_body: bool = True) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = [(name.lower(), value) for name, value in (line.split(": ", 1) for line in head[1:] if line)]
    length = int(dict(headers).get("content-length", "0")) if has_body else 0
    return Answer(int(head[0].split(" ")[1]), headers, await reader.readexactly(length))


async def echo(_function: str, payload: bytes) -> Outcome:
    return Outcome(json.dumps({"statusCode": 200, "body": payload.decode()}).encode(), Ending.RETURNED)


def through(
    scenario: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    invoke: Callable[[str, bytes], Awaitable[Outcome]] = echo,
    answer_within: float = 5.0,
) -> None:
    """Run a scenario on one connection to a front door of its own."""

    async def run() -> None:
        door = FrontDoor(RouteTable([Route("Echo", "ANY", None)]), invoke, lambda *_: None, answer_within)
        server = HttpServer(door.handle, LIMITS, refusal)
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            async with asyncio.timeout(10):
                await scenario(reader, writer)
        finally:
            writer.close()
            await server.stop()

    asyncio.run(run())


def send_one(request: bytes, invoke: Callable[[str, bytes], Awaitable[Outcome]] = echo) -> Answer:
    answers: list[Answer] = []

    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request)
        answers.append(await read_answer(reader, has_body=not request.startswith(b"HEAD")))

    through(scenario, invoke)
    return answers[0]


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/a%2Fb//c?x=1&x=2&=&y=%20+", "/a%2Fb//c", "x=1&x=2&=&y=%20+"),
        (b"/", "/", ""),
        (b"//", "//", ""),
        (b"/?", "/", ""),
        (b"/a?b?c", "/a", "b?c"),
        (b"/..//./%2e%2E/%zz", "/..//./%2e%2E/%zz", ""),
        (b"/a;b=c,d@e:f!$'()*~", "/a;b=c,d@e:f!$'()*~", ""),
        (b'/"<>\\^`{|}', '/"<>\\^`{|}', ""),
        (b"/x?a=%C3%A9&b=[1]&c=a%26b", "/x", "a=%C3%A9&b=[1]&c=a%26b"),
        (b"http://elsewhere.example/p?q=1", "/p", "q=1"),
        (b"HTTP://elsewhere.example?q=/", "/", "q=/"),
        (b"http://elsewhere.example", "/", ""),
    ],
)
def test_the_target_arrives_byte_for_byte(target: bytes, path: str, query: str) -> None:
    event = send_one(b"GET " + target + b" HTTP/1.1\r\nHost: here\r\n\r\n").event
    assert (event["rawPath"], event["rawQueryString"]) == (path, query)
    assert event["requestContext"]["http"]["path"] == path


def test_members_of_the_event() -> None:
    event = send_one(
        b"PoSt /t?a=1&b=2&a=3%204 HTTP/1.1\r\nHost: api.example:8080\r\nX-Twice: one\r\nUser-Agent: tester\r\n"
        b"x-twice: two\r\nCookie: a=1; b=2\r\ncookie: c=3\r\nX-Forwarded-For: 9.9.9.9\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\nConnection: keep-alive, X\r\n\r\n{}"
    ).event
    assert event["version"] == "2.0"
    assert event["routeKey"] == "$default"
    assert event["headers"]["x-twice"] == "one,two"
    assert event["headers"]["host"] == "api.example:8080"
    assert event["headers"]["x-forwarded-for"] == "9.9.9.9,127.0.0.1"
    assert not {"cookie", "connection"} & set(event["headers"])
    assert event["cookies"] == ["a=1", "b=2", "c=3"]
    assert event["queryStringParameters"] == {"a": "1,3 4", "b": "2"}
    assert "pathParameters" not in event
    assert (event["body"], event["isBase64Encoded"]) == ("{}", False)
    context = event["requestContext"]
    assert context["domainName"] == "api.example"
    assert context["http"] | {"path": ""} == {
        "method": "PoSt",
        "path": "",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "tester",
    }
    assert context["stage"] == "$default"
    assert abs(context["timeEpoch"] - 1e3 * time.time()) < 60_000


@pytest.mark.parametrize(
    ("content_type", "body", "is_base64"),
    [
        (b"application/json", b'{"a":"\xc3\xa9"}', False),
        (b"application/vnd.api+json; charset=utf-8", b"{}", False),
        (b"text/csv", b"a,b", False),
        (b"application/json", b"\xff\xfe", True),
        (b"application/octet-stream", b"plain", True),
        (b"application/x-www-form-urlencoded", b"a=1", True),
        (b"multipart/form-data; boundary=x", b"--x", True),
        (b"application/json", b"", None),
    ],
)
def test_bodies_are_text_or_base64(content_type: bytes, body: bytes, is_base64: bool | None) -> None:
    head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (content_type, len(body))
    event = send_one(head + body).event
    if is_base64 is None:
        assert "body" not in event
        assert event["headers"]["content-length"] == "0"
        return
    assert event["isBase64Encoded"] is is_base64
    found = base64.b64decode(event["body"]) if is_base64 else event["body"].encode()
    assert found == body


def test_a_chunked_body_arrives_whole_and_with_its_length() -> None:
    event = send_one(
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n5;x=y\r\ndefgh\r\n0\r\nTrailer: t\r\n\r\n"
    ).event
    assert event["body"] == "abcdefgh"
    assert event["headers"]["content-length"] == "8"
    assert "transfer-encoding" not in event["headers"]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PATCH", "BREW", "get"])
def test_every_method_reaches_an_any_route(method: str) -> None:
    answer = send_one(f"{method} /x HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    assert answer.status == 200
    if method == "HEAD":
        assert answer.body == b""
        assert int(dict(answer.headers)["content-length"]) > 100
    else:
        assert answer.event["requestContext"]["http"]["method"] == method


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET / x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHost: h\r\nbad header\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"CONNECT here:443 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /" + b"a" * 11_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X-A: " + b"a" * 11_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
    ],
)
def test_what_cannot_be_served_is_refused_in_json(request_bytes: bytes, status: int) -> None:
    answer = send_one(request_bytes)
    assert answer.status == status
    assert set(json.loads(answer.body)) == {"message"}


def test_a_chunked_body_over_the_limit_is_refused_while_it_comes() -> None:
    chunk = b"%x\r\n%s\r\n" % (60_000, b"a" * 60_000)
    answer = send_one(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 2)
    assert (answer.status, answer.body) == (413, b'{"message":"Request Too Long"}')


def test_one_connection_serves_many_requests_also_pipelined_ones() -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(3):
            writer.write(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number)
            assert (await read_answer(reader)).event["rawPath"] == f"/{number}"
        body = b"POST /p%d HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n%02d"
        writer.write(b"".join(body % (number, number) for number in range(20)))
        for number in range(20):
            event = (await read_answer(reader)).event
            assert (event["rawPath"], event["body"]) == (f"/p{number}", f"{number:02d}")

    through(scenario)


def test_a_client_that_waits_for_100_gets_it_only_if_its_body_is_wanted() -> None:
    async def wanted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(b"ok")
        event = (await read_answer(reader)).event
        assert event["body"] == "ok"
        assert "expect" not in event["headers"]

    async def unwanted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\nExpect: 100-continue\r\n\r\n")
        assert (await read_answer(reader)).status == 413

    through(wanted)
    through(unwanted)


@pytest.mark.parametrize("part", [b"GET / HT", b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"])
def test_a_client_that_stalls_is_told_and_cut_off(part: bytes) -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(part)
        assert (await read_answer(reader)).status == 408
        assert await reader.read() == b""

    through(scenario)


def test_a_drip_of_bytes_does_not_stretch_the_wait() -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        started = asyncio.get_running_loop().time()
        answering = asyncio.create_task(read_answer(reader))
        for byte in b"GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":
            if answering.done():
                break
            writer.write(bytes([byte]))
            await asyncio.wait({answering}, timeout=0.05)
        assert (await answering).status == 408
        assert asyncio.get_running_loop().time() - started < 2

    through(scenario)


@pytest.mark.parametrize(
    ("outcome", "status", "text"),
    [
        (Outcome(b'{"errorMessage":"secret"}', Ending.RAISED), 500, "Internal Server Error"),
        (Outcome(b'{"errorMessage":"secret"}', Ending.CRASHED), 500, "Internal Server Error"),
        (Outcome(b'{"errorMessage":"secret"}', Ending.TIMED_OUT), 504, "Internal Server Error"),
        (Outcome(b'{"statusCode":"secret"}', Ending.RETURNED), 500, "Internal Server Error"),
        (Outcome(b'{"statusCode":700}', Ending.RETURNED), 500, "Internal Server Error"),
        (
            Outcome(b'{"statusCode":200,"body":"!","isBase64Encoded":true}', Ending.RETURNED),
            500,
            "Internal Server Error",
        ),
    ],
)
def test_a_function_s_failure_is_neutral(outcome: Outcome, status: int, text: str) -> None:
    async def fail(_function: str, _payload: bytes) -> Outcome:
        return outcome

    answer = send_one(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", fail)
    assert (answer.status, json.loads(answer.body)) == (status, {"message": text})


def test_a_function_that_takes_longer_than_the_gateway_waits_still_runs_to_its_end() -> None:
    ended = asyncio.Event()

    async def slow(_function: str, _payload: bytes) -> Outcome:
        await asyncio.sleep(0.3)
        ended.set()
        return Outcome(b"{}", Ending.RETURNED)

    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await read_answer(reader)).status == 503
        async with asyncio.timeout(2):
            await ended.wait()

    through(scenario, slow, answer_within=0.05)


def test_a_client_that_leaves_does_not_disturb_others() -> None:
    async def scenario(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("peername")[1]
        for _ in range(20):
            _, leaving = await asyncio.open_connection("127.0.0.1", port)
            leaving.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nabc")
            leaving.transport.abort()
        reader, staying = await asyncio.open_connection("127.0.0.1", port)
        staying.write(b"GET /still HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await read_answer(reader)).event["rawPath"] == "/still"
        staying.close()

    through(scenario)


def test_http_1_0_gets_one_answer_and_an_end() -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /old HTTP/1.0\r\n\r\n")
        assert (await read_answer(reader)).event["requestContext"]["http"]["protocol"] == "HTTP/1.0"
        assert await reader.read() == b""

    through(scenario)


@pytest.mark.parametrize(
    ("result", "status", "headers", "body"),
    [
        ({"hello": 1}, 200, {("content-type", "application/json")}, b'{"hello": 1}'),
        ({"statusCode": 201, "body": "x"}, 201, {("content-type", "text/plain;charset=UTF-8")}, b"x"),
        ({"statusCode": 200, "cookies": ["a=1", "b=2"]}, 200, {("set-cookie", "a=1"), ("set-cookie", "b=2")}, b""),
        (
            {"statusCode": 200, "headers": {"X-A": "1", "x-n": 5, "x-t": True}},
            200,
            {("x-n", "5"), ("x-t", "true")},
            b"",
        ),
        ({"statusCode": 200, "multiValueHeaders": {"X-A": ["1", "2"]}}, 200, {("x-a", "1"), ("x-a", "2")}, b""),
        ({"statusCode": 200, "body": "AP8=", "isBase64Encoded": True}, 200, set(), b"\x00\xff"),
        (
            {"statusCode": 200, "headers": {"Content-Length": "99", "Connection": "close"}, "body": "x"},
            200,
            set(),
            b"x",
        ),
        ({"statusCode": "202", "body": "é"}, 202, set(), "é".encode()),
        ({"statusCode": 200, "headers": {"x-name": "Jörg €"}}, 200, set(), b""),
    ],
)
def test_answers(result: dict[str, Any], status: int, headers: set[tuple[str, str]], body: bytes) -> None:
    async def give(_function: str, _payload: bytes) -> Outcome:
        return Outcome(json.dumps(result).encode(), Ending.RETURNED)

    answer = send_one(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", give)
    assert (answer.status, answer.body) == (status, body)
    assert headers <= set(answer.headers)
    assert [value for name, value in answer.headers if name == "content-length"] == [str(len(body))]


def test_no_route_is_not_found() -> None:
    async def run() -> None:
        door = FrontDoor(RouteTable([Route("Echo", "GET", "/only")]), echo, lambda *_: None)
        server = HttpServer(door.handle, LIMITS, refusal)
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /other HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = await read_answer(reader)
        assert (answer.status, answer.body) == (404, b'{"message":"Not Found"}')
        writer.close()
        await server.stop()

    asyncio.run(run())
