"""Badly behaved HTTP servers on loopback, and the certificates to run them under TLS.

A `Peer` accepts connections and plays a script on each: a function that gets the connection after the request was read.
It keeps every request's bytes, and how far the script came, so that a test can say what left the guard.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tollgate import clock

PATIENCE_SECONDS: Final = 10.0
_OTHER_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass
class Visit:
    """One connection: the request as it came, and what the script may do with it."""

    connection: socket.socket
    request: bytes
    closing: threading.Event
    server_name: str | None = None
    sent_bytes: int = 0

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)
        self.sent_bytes += len(data)

    def drip(self, data: bytes, seconds_apart: float = 0.02) -> None:
        """Send byte by byte until told to stop."""
        for position in range(len(data)):
            self.send(data[position : position + 1])
            if self.closing.wait(seconds_apart):
                return

    def hang(self) -> None:
        self.closing.wait(PATIENCE_SECONDS)

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.connection.close()


Script = Callable[[Visit], None]


@dataclass
class Peer:
    """A listening script. `visits` are the connections that got as far as a request, `dials` all of them."""

    script: Script
    tls: ssl.SSLContext | None = None
    reads_request: bool = True
    visits: list[Visit] = field(default_factory=list)
    dials: int = 0
    server_names: list[str | None] = field(default_factory=list)
    _closing: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def listed(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _spawn(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.dials += 1
            self._spawn(lambda connection=connection: self._serve(connection))  # type: ignore[misc]

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            connection.settimeout(PATIENCE_SECONDS)
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
                stack.callback(connection.close)
            request = read_request(connection) if self.reads_request else b""
            visit = Visit(connection, request, self._closing)
            self.visits.append(visit)
            self.script(visit)


def read_request(connection: socket.socket) -> bytes:
    """Headers, and as much body as content-length says."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < int(lengths[0] if lengths else 0):
        body += _more(connection)
    return head + b"\r\n\r\n" + body


def _more(connection: socket.socket) -> bytes:
    piece = connection.recv(65536)
    if not piece:
        raise ConnectionResetError
    return piece


def answer(body: bytes = b"ok", status: str = "200 OK", *headers: str) -> Script:
    """The script of a well-behaved server."""
    lines = "".join(f"{header}\r\n" for header in (*headers, f"content-length: {len(body)}"))
    return lambda visit: visit.send(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body)


def say(raw: bytes | str) -> Script:
    """Send this as it is."""
    data = raw.encode() if isinstance(raw, str) else raw
    return lambda visit: visit.send(data)


def drip(text: str) -> Script:
    """Send this byte by byte."""
    return lambda visit: visit.drip(text.encode())


def in_turn(*scripts: Script) -> Script:
    def play(visit: Visit) -> None:
        for script in scripts:
            script(visit)

    return play


class Authority:
    """A certificate authority of the tests' own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of the tests")])
        self._certificate = self._sign(self._name, self._key.public_key(), is_authority=True, names=[])

    def client_context(self) -> ssl.SSLContext:
        """Trusts this authority and no other."""
        pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)

    def server_context(self, *names: str, days: int = 1, seen: list[str | None] | None = None) -> ssl.SSLContext:
        """Serves a certificate for `names`; notes the name that a client asked for (SNI) in `seen`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self._sign(subject, key.public_key(), is_authority=False, names=list(names), days=days)
        path = self._folder / f"{len(list(self._folder.iterdir()))}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        if seen is not None:
            context.sni_callback = lambda _socket, name, _context: seen.append(name)
        return context

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, is_authority: bool, names: list[str], days: int = 1
    ) -> x509.Certificate:
        now = clock.now()
        own = self._key.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(own), critical=False)
        )
        if is_authority:
            usage = dict.fromkeys(_OTHER_USAGES, False)
            builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, **usage), critical=True)
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())


@contextlib.contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Peer]:
    with Peer(script, tls) as peer:
        yield peer
