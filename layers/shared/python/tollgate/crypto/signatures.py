"""Signatures that anybody can check who has the public key: ECDSA over NIST P-256 with SHA-256 (FIPS 186-5).

The header is the payments API's (fact file 2.11): a DER signature over the raw bytes. Where keys are kept is not known
here; the library is loaded when the first key is made or used.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

ALGORITHM = "SHA256withECDSA"

Sign = Callable[[bytes], str]
"""Makes the `x-signature` header of a body."""


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A private key (PKCS 8, DER) and the id under which receivers find its public one."""

    id: str
    private: bytes

    def header(self, body: bytes) -> str:
        """The `x-signature` header of a body."""
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = serialization.load_der_private_key(self.private, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("not a key of this algorithm")
        signature = base64.b64encode(key.sign(body, ec.ECDSA(hashes.SHA256()))).decode()
        return f"algorithm={ALGORITHM}, keyId={self.id}, signature={signature}"


def new_signing_key(key_id: str) -> tuple[SigningKey, str]:
    """A new key, and its public one: SubjectPublicKeyInfo in base64, without armour."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    made = ec.generate_private_key(ec.SECP256R1())
    private = made.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = made.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(key_id, private), base64.b64encode(public).decode()
