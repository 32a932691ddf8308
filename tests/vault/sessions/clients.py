"""A client of sessions: encrypts as a browser does, with another implementation than the one that decrypts.

The pieces of a JWE are put together by hand from primitives (RFC 7516, 5.1), so that every one of them can be wrong.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.support.http import Handler, Response, send

CARD: dict[str, Any] = {
    "account_number": "4242424242424242",
    "expiry_month": 4,
    "expiry_year": 2033,
    "security_code": "123",
    "cardholder_name": "John Doe",
}
HEADER: dict[str, Any] = {"alg": "RSA-OAEP-256", "enc": "A256GCM"}


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def seal(jwk: Mapping[str, str], payload: Any, header: Mapping[str, Any] = HEADER) -> str:
    """A JWE in compact form for a public key; `payload` is bytes or a JSON value."""
    n, e = (int.from_bytes(decoded(jwk[name]), "big") for name in ("n", "e"))
    key, nonce = os.urandom(32), os.urandom(12)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    wrapped = rsa.RSAPublicNumbers(e, n).public_key().encrypt(key, oaep)
    protected = encoded(json.dumps(header).encode())
    plaintext = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    sealed = AESGCM(key).encrypt(nonce, plaintext, protected.encode())
    return ".".join([protected, *map(encoded, (wrapped, nonce, sealed[:-16], sealed[-16:]))])


class Client:
    """The client of one session. It knows the id and nothing else, and sends no credential."""

    def __init__(self, handler: Handler, session_id: str) -> None:
        self.handler = handler
        self.id = session_id

    def read(self) -> Response:
        return send(self.handler, "GET", f"/sessions/{self.id}", headers={"host": "api.example"})

    def key(self) -> dict[str, str]:
        return dict(self.read().json["data"]["jwk"])

    def complete(self, enc_payload: Any, **changes: Any) -> Response:
        body = {"action": "tokenize_card", "result": {"enc_payload": enc_payload}, **changes}
        return send(self.handler, "POST", f"/sessions/{self.id}/complete-action", json_body=body)

    def hand_over(self, **changes: Any) -> Response:
        """Encrypt a card for the session, and complete it."""
        return self.complete(seal(self.key(), {**CARD, **changes}))
