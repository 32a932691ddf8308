"""The port to the key service: making and unwrapping data keys.

KMS never sees a card. It hands out data keys in two forms, in clear for use and wrapped for storage, and unwraps the
stored form for whoever may use the key. The encryption context is bound to the wrapped form: a data key of one account
cannot be passed off as another's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

DATA_KEY_BYTES = 32


class KeyService(Protocol):
    """What a keyring needs of a key service."""

    def generate(self, context: Mapping[str, str]) -> tuple[bytes, bytes]:
        """A fresh data key: (32 bytes in clear, wrapped form)."""

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """The data key in clear. Fails for another context than it was wrapped under."""

    def rewrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """The same data key, wrapped under the key service's newest key material."""


class Kms:
    """The key service of AWS, for one customer managed key."""

    def __init__(self, client: KMSClient, key_id: str) -> None:
        self._client = client
        self._key_id = key_id

    def generate(self, context: Mapping[str, str]) -> tuple[bytes, bytes]:
        made = self._client.generate_data_key(KeyId=self._key_id, KeySpec="AES_256", EncryptionContext=dict(context))
        return made["Plaintext"], made["CiphertextBlob"]

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        answer = self._client.decrypt(KeyId=self._key_id, CiphertextBlob=wrapped, EncryptionContext=dict(context))
        return answer["Plaintext"]

    def rewrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        answer = self._client.re_encrypt(
            CiphertextBlob=wrapped,
            SourceKeyId=self._key_id,
            SourceEncryptionContext=dict(context),
            DestinationKeyId=self._key_id,
            DestinationEncryptionContext=dict(context),
        )
        return answer["CiphertextBlob"]
