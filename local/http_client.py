"""An asynchronous HTTP/1.1 client for loopback, on h11, with kept connections.

It exists because long polls, stream polls and deployments run in the machine's one event loop, where boto3 would block
and cost 60 MB. It follows no redirect and speaks no TLS: it never leaves this laptop.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import h11


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


class _StaleError(Exception):
    """A kept connection turned out to be closed by the other side before it answered."""


class HttpClient:
    """Talks to one loopback port. `close` ends the kept connections."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def request(
        self, method: str, target: str, headers: dict[str, str], body: bytes = b"", *, within: float = 30.0
    ) -> Answer:
        """Send one request and read the whole answer. `within` in seconds, over all.

        Raises:
            OSError: nobody listens, the other side broke off, or time is up (TimeoutError is an OSError).
        """
        head = h11.Request(
            method=method,
            target=target,
            headers=[("host", f"127.0.0.1:{self.port}"), ("content-length", str(len(body))), *headers.items()],
        )
        async with asyncio.timeout(within):
            while self._free:
                try:
                    return await self._exchange(*self._free.pop(), head, body)
                except _StaleError:
                    continue
            try:
                return await self._exchange(*await asyncio.open_connection("127.0.0.1", self.port), head, body)
            except _StaleError:
                raise ConnectionResetError("the other side closed the connection") from None

    async def close(self) -> None:
        for _, writer in self._free:
            writer.close()
        self._free.clear()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: h11.Request, body: bytes
    ) -> Answer:
        kept = False
        try:
            http = h11.Connection(h11.CLIENT)
            data = http.send(head) or b""
            if body:
                data += http.send(h11.Data(data=body)) or b""
            writer.write(data + (http.send(h11.EndOfMessage()) or b""))
            await writer.drain()
            answer = await _read_answer(http, reader)
            kept = http.our_state is h11.DONE and http.their_state is h11.DONE
            return answer
        except (ConnectionError, h11.RemoteProtocolError):
            raise _StaleError from None
        finally:
            if kept:
                self._free.append((reader, writer))
            else:
                writer.close()


async def _read_answer(http: h11.Connection, reader: asyncio.StreamReader) -> Answer:
    status, headers, parts = 0, [], []
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers]
        elif isinstance(event, h11.Data):
            parts.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            return Answer(status, headers, b"".join(parts))
        elif isinstance(event, h11.ConnectionClosed):
            raise ConnectionResetError
