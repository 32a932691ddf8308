"""A small HTTP/1.1 server on h11: the front door, the Runtime API and the Invoke API are each one of these.

It hands a request on exactly as it was sent (target and header values untouched), bounds every wait and size, and
knows nothing of functions or routes.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import h11

_READ_SIZE = 65536


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Header names are lower case; the target is as sent, byte for byte."""

    method: str
    target: bytes
    version: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    peer: str

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True, slots=True)
class Response:
    """One answer; the server adds `content-length` and, where it must, `connection`."""

    status: int
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""


Handler = Callable[[Request], Awaitable[Response]]
# Builds the answer to a request that the server itself refuses.
Refusal = Callable[[int], Response]


def plain_refusal(status: int) -> Response:
    return Response(status)


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, waits in seconds: between two requests, for all of a head, for all of a body."""

    head: int = 64 * 1024
    body: int = 16 * 1024 * 1024
    idle: float = 3600.0
    head_wait: float = 30.0
    body_wait: float = 30.0


class _RefusedError(Exception):
    """The request is refused with this status and the connection ends."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _GoneError(Exception):
    """The other side left, or said nothing for too long between two requests."""


class HttpServer:
    """Serves one listening socket until it is stopped."""

    def __init__(self, handler: Handler, limits: Limits | None = None, refusal: Refusal = plain_refusal) -> None:
        self._handler = handler
        self._limits = limits or Limits()
        self._refusal = refusal
        self._connections: dict[asyncio.Task[None] | None, _Connection] = {}
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, listener: socket.socket | None = None) -> None:
        """Listen on a bound socket, or on a free loopback port."""
        bound = listener or bind(0)
        self.port = bound.getsockname()[1]
        self._server = await asyncio.start_server(self._accept, sock=bound, backlog=512)

    async def stop(self, grace: float = 0.0) -> None:
        """Accept nothing more, give running requests `grace` seconds, end all connections."""
        if self._server is not None:
            self._server.close()
        busy = [task for task, connection in self._connections.items() if task and connection.busy]
        if busy and grace:
            await asyncio.wait(busy, timeout=grace)
        tasks = [task for task in self._connections if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._connections[task] = connection = _Connection(reader, writer, self._limits)
        try:
            await connection.serve(self._handler, self._refusal)
        except (ConnectionError, _GoneError, asyncio.CancelledError):
            pass
        finally:
            self._connections.pop(task, None)
            writer.close()
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await writer.wait_closed()


class _Connection:
    """One keep-alive connection: requests one after the other, pipelined ones included."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits) -> None:
        self._reader, self._writer, self._limits = reader, writer, limits
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head)
        peer = writer.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        self.busy = False

    async def serve(self, handler: Handler, refusal: Refusal) -> None:
        while True:
            try:
                request = await self._next_request()
            except _RefusedError as refused:
                await self._send("GET", refusal(refused.status), last=True)
                return
            self.busy = True
            await self._send(request.method, await handler(request))
            self.busy = False
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return
            self._http.start_next_cycle()

    async def _next_request(self) -> Request:
        head = await self._read_head()
        headers = [(bytes(name), bytes(value)) for name, value in head.headers]
        self._check_head(head, headers)
        body = await self._read_body()
        version = f"HTTP/{head.http_version.decode()}"
        return Request(head.method.decode(), bytes(head.target), version, headers, body, self._peer)

    async def _read_head(self) -> h11.Request:
        if self._http.trailing_data[0] == b"":
            await self._feed(self._limits.idle, _GoneError())
        deadline = asyncio.get_running_loop().time() + self._limits.head_wait
        while True:
            event = self._parse()
            if isinstance(event, h11.Request):
                return event
            if isinstance(event, h11.ConnectionClosed):
                raise _GoneError
            await self._feed(deadline - asyncio.get_running_loop().time(), _RefusedError(408))

    def _check_head(self, head: h11.Request, headers: list[tuple[bytes, bytes]]) -> None:
        size = len(head.target) + sum(len(name) + len(value) + 4 for name, value in headers)
        if size > self._limits.head:
            raise _RefusedError(431)
        names = {name for name, _ in headers}
        if b"transfer-encoding" in names and b"content-length" in names:
            raise _RefusedError(400)  # two lengths for one body are an attack, never a client
        length = next((value for name, value in headers if name == b"content-length"), b"0")
        if len(length) > 18 or int(length) > self._limits.body:
            raise _RefusedError(413)

    async def _read_body(self) -> bytes:
        if self._http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            self._writer.write(self._http.send(go_on) or b"")
        deadline = asyncio.get_running_loop().time() + self._limits.body_wait
        parts: list[bytes] = []
        size = 0
        while True:
            event = self._parse()
            if isinstance(event, h11.Data):
                size += len(event.data)
                if size > self._limits.body:
                    raise _RefusedError(413)
                parts.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                return b"".join(parts)
            elif isinstance(event, h11.ConnectionClosed):
                raise _GoneError
            else:
                await self._feed(deadline - asyncio.get_running_loop().time(), _RefusedError(408))

    def _parse(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            raise _RefusedError(error.error_status_hint) from None

    async def _feed(self, wait: float, late: Exception) -> None:
        try:
            async with asyncio.timeout(max(wait, 0)):
                data = await self._reader.read(_READ_SIZE)
        except TimeoutError:
            raise late from None
        try:
            self._http.receive_data(data)
        except h11.RemoteProtocolError:
            raise _GoneError from None

    async def _send(self, method: str, response: Response, *, last: bool = False) -> None:
        is_empty = response.status in {204, 304}
        headers = list(response.headers)
        if not is_empty:
            headers.append((b"content-length", b"%d" % len(response.body)))
        if last:
            headers.append((b"connection", b"close"))
        head = h11.Response(status_code=response.status, headers=headers, reason=_REASONS.get(response.status, b""))
        data = self._http.send(head) or b""
        if response.body and not is_empty and method != "HEAD":
            data += self._http.send(h11.Data(data=response.body)) or b""
        data += self._http.send(h11.EndOfMessage()) or b""
        self._writer.write(data)
        await self._writer.drain()


_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}


def bind(port: int) -> socket.socket:
    """A loopback socket that refuses connections until somebody listens on it.

    Raises:
        OSError: somebody else listens on the port; whether another socket is merely bound to it, only listening tells.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound
