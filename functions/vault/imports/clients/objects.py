"""The bucket of the imports: uploaded export files as they came, encrypted, and chunks of rows, sealed.

Nothing goes in here in clear; this module could not tell, so its callers see to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_READ_BYTES = 256 * 1024
_MOST_PER_DELETION = 1000


class ObjectStore:
    """One bucket, through one client."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, body: bytes) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=body)

    def find(self, key: str) -> bytes | None:
        """A whole object, if it is there."""
        try:
            return bytes(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        except self._client.exceptions.NoSuchKey:
            return None

    def stream(self, key: str) -> Iterator[bytes]:
        """An object's bytes, piece by piece."""
        body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
        while piece := body.read(_READ_BYTES):
            yield piece

    def exists(self, key: str) -> bool:
        found = self._client.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
        return any(each["Key"] == key for each in found.get("Contents", ()))

    def delete(self, key: str) -> None:
        self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": [{"Key": key}], "Quiet": True})

    def delete_all(self, prefix: str) -> int:
        """Remove everything below a prefix; answers how much that was."""
        count = 0
        while True:
            found = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, MaxKeys=_MOST_PER_DELETION)
            keys = [{"Key": each["Key"]} for each in found.get("Contents", ())]
            if not keys:
                return count
            self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True})
            count += len(keys)

    def upload_url(self, key: str, seconds: int) -> str:
        """Where anybody who has this URL may put this one object, for some time."""
        return str(
            self._client.generate_presigned_url(
                ClientMethod="put_object",
                Params={"Bucket": self._bucket, "Key": key},
                ExpiresIn=seconds,
                HttpMethod="PUT",
            )
        )
