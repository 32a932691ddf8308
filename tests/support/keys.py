"""A key service in the process: AES-GCM with the encryption context as associated data, so that tampering is noticed.

It answers in the shapes of the KMS client, because what is tested above it is the code that speaks to KMS.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class WrongCiphertext(Exception):
    """What KMS calls InvalidCiphertextException."""


class FakeKms:
    """One key per key id, the same in every process of a test; a rotation of the key material changes `generation`."""

    def __init__(self) -> None:
        self._material: dict[tuple[str, int], bytes] = {}
        self.generation = 0
        self.calls: list[str] = []

    def rotate_material(self) -> None:
        self.generation += 1

    def generate_data_key(self, KeyId: str, KeySpec: str, EncryptionContext: Mapping[str, str]) -> dict[str, Any]:  # noqa: N803
        self.calls.append("generate_data_key")
        key = os.urandom(32)
        return {"Plaintext": key, "CiphertextBlob": self._wrap(KeyId, key, EncryptionContext)}

    def encrypt(self, KeyId: str, Plaintext: bytes, EncryptionContext: Mapping[str, str]) -> dict[str, Any]:  # noqa: N803
        self.calls.append("encrypt")
        return {"CiphertextBlob": self._wrap(KeyId, Plaintext, EncryptionContext)}

    def decrypt(self, KeyId: str, CiphertextBlob: bytes, EncryptionContext: Mapping[str, str]) -> dict[str, Any]:  # noqa: N803
        self.calls.append("decrypt")
        return {"Plaintext": self._unwrap(KeyId, CiphertextBlob, EncryptionContext)}

    def re_encrypt(
        self,
        CiphertextBlob: bytes,  # noqa: N803
        SourceKeyId: str,  # noqa: N803
        SourceEncryptionContext: Mapping[str, str],  # noqa: N803
        DestinationKeyId: str,  # noqa: N803
        DestinationEncryptionContext: Mapping[str, str],  # noqa: N803
    ) -> dict[str, Any]:
        self.calls.append("re_encrypt")
        key = self._unwrap(SourceKeyId, CiphertextBlob, SourceEncryptionContext)
        return {"CiphertextBlob": self._wrap(DestinationKeyId, key, DestinationEncryptionContext)}

    def _key(self, key_id: str, generation: int) -> AESGCM:
        material = hashlib.sha256(f"{key_id}/{generation}".encode()).digest()
        return AESGCM(self._material.setdefault((key_id, generation), material))

    def _wrap(self, key_id: str, key: bytes, context: Mapping[str, str]) -> bytes:
        nonce = os.urandom(12)
        sealed = self._key(key_id, self.generation).encrypt(nonce, key, _bound(context))
        return bytes([self.generation]) + nonce + sealed

    def _unwrap(self, key_id: str, blob: bytes, context: Mapping[str, str]) -> bytes:
        try:
            return self._key(key_id, blob[0]).decrypt(blob[1:13], blob[13:], _bound(context))
        except InvalidTag:
            raise WrongCiphertext from None


def _bound(context: Mapping[str, str]) -> bytes:
    return json.dumps(dict(context), sort_keys=True).encode()
