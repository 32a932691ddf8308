"""What must hold of a merchant as a whole, whatever the request that made it so. Pure."""

from __future__ import annotations

import base64
import json

from tollgate import ids
from tollgate.errors import Fault
from vault.merchants.models import Merchant

KEY_START = 9


def faults(merchant: Merchant) -> list[Fault]:
    """Every broken rule between members, with paths into the request's body."""
    found: list[Fault] = []
    if merchant.identity_and_verification_enabled and merchant.type != "primary":
        found.append(Fault("$.identity_and_verification_enabled", "is only allowed for the primary merchant"))
    if merchant.default_merchant_id is not None and not merchant.schemes:
        found.append(Fault("$.schemes", "is required when default_merchant_id is set"))
    names: set[str] = set()
    for index, scheme in enumerate(merchant.schemes):
        name = "amex" if scheme["name"] == "american express" else scheme["name"]
        if name in names:
            found.append(Fault(f"$.schemes[{index}].name", "must be unique"))
        names.add(name)
    return found


def new_encryption_key() -> str:
    """A symmetric key for JWE (`dir`, A256GCM): base64url of a JWK of 256 random bits.

    The reference shows only that the key and the JWE begin alike (`eyJhbGc`, which is `{"alg`); this is the layout that
    fits.
    """
    secret = base64.urlsafe_b64encode(ids.secret_bytes()).rstrip(b"=").decode()
    jwk = {"alg": "dir", "enc": "A256GCM", "k": secret, "kty": "oct"}
    return base64.urlsafe_b64encode(json.dumps(jwk, separators=(",", ":")).encode()).rstrip(b"=").decode()
