"""One HTTP/1.1 exchange on a connected socket, bounded in total time and in bytes.

Everything that touches the socket goes through `Wire`, which before each call to the kernel sets the time that is left:
so one deadline bounds handshake, sending, waiting for headers, and a body that arrives byte by byte, without a
watching thread. Message framing is the standard library's and decoding is urllib3's; redirects, retries, cookies and
proxies do not exist here. It must not look at where the socket leads: that was decided before.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from urllib3 import HTTPHeaderDict
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from tollgate.egress.failures import BadAnswer, TimedOut

_SEND_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 64 * 1024
_HEADER_ALLOWANCE_BYTES: Final = 64 * 1024
_CODINGS: Final = frozenset({"gzip", "x-gzip", "deflate", "identity"})
_LEGIBLE_STATUS: Final = range(200, 600)
# True of this connection or of the encoded form only, and therefore not of the answer we return.
_CONNECTION_HEADERS: Final = frozenset(
    (
        "connection",
        "content-encoding",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)


class Answer(NamedTuple):
    """What came back: the status (200 to 599), the headers in order, and the body after decoding.

    Headers that describe the connection or the encoded form of the body are left out.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def __repr__(self) -> str:
        """The status only: an answer may hold what must not reach a log."""
        return f"<Answer {self.status}>"

    def header(self, name: str) -> str | None:
        """The first value of a header, by its name in any case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


class OverLimitError(Exception):
    """More bytes arrived than the answer may have."""


class Wire:
    """A connected socket with a deadline (on `time.monotonic`) and a budget of bytes to receive.

    `sent` turns True before the first byte leaves, `ended` when the other side has closed.
    """

    def __init__(self, plain: socket.socket, deadline: float, budget_bytes: int) -> None:
        self._socket = plain
        self._deadline = deadline
        self._budget_bytes = budget_bytes
        self.sent = False
        self.ended = False

    def start_tls(self, context: ssl.SSLContext, name: str) -> None:
        """Shake hands as a client of `name`, which the certificate must be for."""
        self._socket = context.wrap_socket(self._socket, server_hostname=name, do_handshake_on_connect=False)
        self._limit()
        self._socket.do_handshake()

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._limit()
            self.sent = True
            view = view[self._socket.send(view[:_SEND_BYTES]) :]

    def receive_into(self, buffer: Any) -> int:
        self._limit()
        count = self._socket.recv_into(buffer)
        self._budget_bytes -= count
        self.ended = self.ended or count == 0
        if self._budget_bytes < 0:
            raise OverLimitError
        return count

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What `http.client` reads an answer from (always `rb`)."""
        return io.BufferedReader(_Reader(self), _READ_BYTES)

    def close(self) -> None:
        """`http.client` lets go of a connection when it has seen the headers; the body is still to come."""

    def hang_up(self) -> None:
        self._socket.close()

    def _limit(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


class _Reader(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._wire.receive_into(buffer)


def budget(max_response_bytes: int) -> int:
    """How much may arrive for an answer of at most `max_response_bytes`: headers and the cost of chunks included."""
    return 2 * max_response_bytes + _HEADER_ALLOWANCE_BYTES


def exchange(
    wire: Wire,
    method: str,
    request_target: str,
    headers: Sequence[tuple[str, str]],
    body: bytes | None,
    max_response_bytes: int,
) -> Answer:
    """Send one request and read its answer. `headers` is complete, `host` included; the caller closes the wire.

    Raises:
        TimedOut: the deadline passed.
        BadAnswer: the connection broke, or what came is not HTTP, or is too large, or in an unknown encoding.
    """
    connection = http.client.HTTPConnection("wire.invalid")
    connection.auto_open = 0  # never opens a connection of its own
    connection.sock = wire
    try:
        _send(connection, method, request_target, headers, body)
        received = connection.getresponse()
        if wire.ended:  # in the middle of the headers: the standard library takes that for their end
            raise BadAnswer("protocol", sent=True)
        return _read(received, method, max_response_bytes)
    except TimeoutError:
        raise TimedOut("deadline", sent=wire.sent) from None
    except OverLimitError:
        raise BadAnswer("too large", sent=wire.sent) from None
    except (OSError, http.client.HTTPException, HTTPError, ValueError) as problem:
        if isinstance(problem.__context__, TimeoutError):  # urllib3 puts its own error in the place of the timeout
            raise TimedOut("deadline", sent=wire.sent) from None
        raise BadAnswer("protocol", sent=wire.sent) from None


def _send(
    connection: http.client.HTTPConnection,
    method: str,
    request_target: str,
    headers: Sequence[tuple[str, str]],
    body: bytes | None,
) -> None:
    connection.putrequest(method, request_target, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value.encode("latin-1"))
    if body is not None or method in ("POST", "PUT", "PATCH"):
        connection.putheader("content-length", str(len(body or b"")))
    # A server may answer (413, say) and hang up before it has read everything: then there is an answer to look for.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.endheaders(body)


def _read(received: http.client.HTTPResponse, method: str, max_bytes: int) -> Answer:
    pairs = received.getheaders()
    if received.status not in _LEGIBLE_STATUS or not all(_is_legible(name, value) for name, value in pairs):
        raise http.client.HTTPException
    headers = HTTPHeaderDict(pairs)
    if headers.get("content-encoding", "identity").strip().lower() not in _CODINGS:
        raise http.client.HTTPException
    response = HTTPResponse(received, headers, received.status, preload_content=False, request_method=method)
    body = _body(response, max_bytes)
    kept = [(name, value) for name, value in pairs if name.lower() not in _CONNECTION_HEADERS]
    return Answer(received.status, kept, body)


def _body(response: HTTPResponse, max_bytes: int) -> bytes:
    """The decoded body. It is decoded piece by piece: a small bomb is refused before it has grown."""
    pieces: list[bytes] = []
    size = 0
    for piece in response.stream(_READ_BYTES, decode_content=True):
        size += len(piece)
        if size > max_bytes:
            raise OverLimitError
        pieces.append(piece)
    return b"".join(pieces)


def _is_legible(name: str, value: str) -> bool:
    return name.isascii() and name.isprintable() and not any(letter in value for letter in "\r\n\0")
