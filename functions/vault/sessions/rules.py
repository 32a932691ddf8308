"""The encrypted payload: which JWE is taken, how it is opened, what its card must be like.

One algorithm pair and nothing to negotiate (RFC 8725, 3.1 and 3.2): a header that asks for anything else, for
compression or for an extension is refused before a key is touched. Whatever fails from then on (wrong key, changed
bytes, no JSON) is one and the same refusal, so that nobody learns from the difference. No I/O, no clock.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from tollgate.errors import Fault, Invalid, Malformed
from tollgate.models.json_body import parse_json
from vault.cards import Card, read_card
from vault.sessions.errors import CardRefused, ReasonCode

ALGORITHM: Final = "RSA-OAEP-256"
ENCRYPTION: Final = "A256GCM"
KEY_BITS: Final = 2048
PUBLIC_EXPONENT: Final = 65537

_PATH: Final = "$.result.enc_payload"
_NOT_A_JWE: Final = "must be a JWE in compact form"
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")
_LENGTHS: Final = (KEY_BITS // 8, 12, None, 16)
"""Bytes of encrypted key, nonce, ciphertext (any) and tag. A short tag would be a weaker one."""

_REASON_OF_MEMBER: Final[Mapping[str, ReasonCode]] = {
    "$.account_number": "invalid_card_number",
    "$.expiry_month": "invalid_expiry_date",
    "$.expiry_year": "invalid_expiry_date",
    "$.security_code": "invalid_security_code",
}

# What card processors publish for trying out their sandboxes. Nobody's card, so a live session does not take it.
TEST_CARDS: Final = frozenset(
    {
        "4242424242424242", "4111111111111111", "4000056655665556", "4012888888881881", "4222222222222",
        "5555555555554444", "5105105105105100", "2223003122003222", "5200828282828210", "5454545454545454",
        "378282246310005", "371449635398431", "378734493671000",
        "6011111111111117", "6011000990139424", "6011981111111113",
        "30569309025904", "38520000023237", "3056930009020004", "36227206271667",
        "3566002020360505", "3530111333300000", "6200000000000005", "6759649826438453",
    }
)  # fmt: skip


def new_key() -> tuple[bytes, str]:
    """A fresh key pair: the private key (PKCS #8, DER) and the modulus as a JWK has it."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(PUBLIC_EXPONENT, KEY_BITS)
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    modulus = key.public_key().public_numbers().n.to_bytes(KEY_BITS // 8, "big")
    return private, base64.urlsafe_b64encode(modulus).rstrip(b"=").decode()


def check_form(compact: str) -> Mapping[str, Any]:
    """The protected header of a JWE that we are ready to open.

    Raises:
        Invalid: it is no JWE, or one of another kind.
    """
    header, *rest = compact.split(".")
    parts = [_decoded(part) for part in rest]
    if len(parts) != len(_LENGTHS):
        raise Invalid.at(_PATH, _NOT_A_JWE)
    for part, length in zip(parts, _LENGTHS, strict=True):
        if length is not None and len(part) != length:
            raise Invalid.at(_PATH, _NOT_A_JWE)
    members = _header(header)
    problem = _header_problem(members)
    if problem is not None:
        raise Invalid.at(_PATH, problem)
    return members


def _header(text: str) -> Mapping[str, Any]:
    try:
        members = parse_json(_decoded(text))
    except Malformed:
        raise Invalid.at(_PATH, _NOT_A_JWE) from None
    if not isinstance(members, dict):
        raise Invalid.at(_PATH, _NOT_A_JWE)
    return members


def _header_problem(members: Mapping[str, Any]) -> str | None:
    if members.get("alg") != ALGORITHM:
        return f"must use the algorithm {ALGORITHM}"
    if members.get("enc") != ENCRYPTION:
        return f"must use the encryption {ENCRYPTION}"
    if "zip" in members:
        return "must not be compressed"
    return "must not have critical extensions" if "crit" in members else None


def _decoded(text: str) -> bytes:
    """Base64url without padding (RFC 7515, section 2), strictly."""
    if not _BASE64URL.fullmatch(text):
        raise Invalid.at(_PATH, _NOT_A_JWE)
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise Invalid.at(_PATH, _NOT_A_JWE) from None


def open_payload(compact: str, header: Mapping[str, Any], private_key: bytes, session_id: str) -> Mapping[str, object]:
    """The members of a payload, whose header `check_form` answered.

    Raises:
        CardRefused: it was made for another key or session, was changed, or holds no JSON object.
    """
    if header.get("kid", session_id) != session_id:
        raise CardRefused("invalid_payload")
    members = _parsed(_decrypted(compact, private_key))
    if not isinstance(members, dict):
        raise CardRefused("invalid_payload")
    return members


def _decrypted(compact: str, private_key: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.serialization import load_der_private_key
    from joserfc import jwe
    from joserfc.errors import JoseError
    from joserfc.jwk import RSAKey

    # The key was authenticated when its seal was opened; testing its primes anew would cost fifty milliseconds.
    native: Any = load_der_private_key(private_key, None, unsafe_skip_rsa_key_validation=True)
    registry = jwe.JWERegistry(algorithms=[ALGORITHM, ENCRYPTION], strict_check_header=False)
    try:
        return jwe.decrypt_compact(compact, RSAKey.import_key(native), registry=registry).plaintext or b""
    except (JoseError, InvalidTag, ValueError):
        raise CardRefused("invalid_payload") from None


def _parsed(plaintext: bytes) -> object:
    try:
        return parse_json(plaintext)
    except Malformed:
        raise CardRefused("invalid_payload") from None


def card_of(members: Mapping[str, object], now: datetime, *, takes_test_cards: bool) -> Card:
    """The card of a payload; members that are no card details are ignored.

    Raises:
        CardRefused: with the reason of the first fault, in the order of the fields.
    """
    try:
        card = read_card(members, now)
    except Invalid as invalid:
        reason = _reason(invalid.faults)
    else:
        if takes_test_cards or card.account_number not in TEST_CARDS:
            return card
        reason = "invalid_test_card"
    raise CardRefused(reason)


def _reason(faults: tuple[Fault, ...]) -> ReasonCode:
    return _REASON_OF_MEMBER.get(faults[0].path, "invalid_payload")
