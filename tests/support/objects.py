"""An object service in the process: buckets in memory, in the shapes of the S3 client.

A pre-signed URL is a name that `upload` and `download` understand, as the service itself would.
"""

from __future__ import annotations

import io
import threading
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit


class NoSuchKey(Exception):
    """What S3 answers for an object that is not there."""


class FakeS3:
    """Objects by bucket and key; `types` has their media types, `unfinished` uploads that were begun and not ended."""

    exceptions = SimpleNamespace(NoSuchKey=NoSuchKey)

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, bytes]] = {}
        self.types: dict[str, str] = {}
        self.unfinished: dict[str, dict[int, bytes]] = {}
        self._lock = threading.Lock()

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        return sorted(key for key in self.objects.get(bucket, {}) if key.startswith(prefix))

    def put_object(self, Bucket: str, Key: str, Body: bytes, ContentType: str = "") -> dict[str, Any]:  # noqa: N803
        with self._lock:
            self.objects.setdefault(Bucket, {})[Key] = bytes(Body)
            self.types[Key] = ContentType
        return {}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        try:
            return {"Body": io.BytesIO(self.objects[Bucket][Key])}
        except KeyError:
            raise NoSuchKey from None

    def list_objects_v2(self, Bucket: str, Prefix: str, MaxKeys: int) -> dict[str, Any]:  # noqa: N803
        keys = self.keys(Bucket, Prefix)[:MaxKeys]
        return {"Contents": [{"Key": key} for key in keys]} if keys else {}

    def delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        with self._lock:
            for each in Delete["Objects"]:
                self.objects.get(Bucket, {}).pop(each["Key"], None)
        return {}

    def create_multipart_upload(self, Bucket: str, Key: str, ContentType: str) -> dict[str, Any]:  # noqa: N803
        self.types[Key] = ContentType
        self.unfinished[Key] = {}
        return {"UploadId": Key}

    def upload_part(self, Bucket: str, Key: str, UploadId: str, PartNumber: int, Body: bytes) -> dict[str, Any]:  # noqa: N803
        self.unfinished[UploadId][PartNumber] = Body
        return {"ETag": f"etag-{PartNumber}"}

    def complete_multipart_upload(
        self,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        UploadId: str,  # noqa: N803
        MultipartUpload: dict[str, Any],  # noqa: N803
    ) -> dict[str, Any]:
        parts = self.unfinished.pop(UploadId)
        numbers = [part["PartNumber"] for part in MultipartUpload["Parts"]]
        if numbers != sorted(parts) or any(len(parts[number]) < 5 * 1024 * 1024 for number in numbers[:-1]):
            raise ValueError("parts are missing, in disorder, or under five megabytes")
        return self.put_object(Bucket, Key, b"".join(parts[number] for number in numbers), self.types[Key])

    def generate_presigned_url(
        self,
        ClientMethod: str,  # noqa: N803
        Params: dict[str, Any],  # noqa: N803
        ExpiresIn: int,  # noqa: N803
        HttpMethod: str,  # noqa: N803
    ) -> str:
        return f"https://{Params['Bucket']}.s3.example/{Params['Key']}?for={HttpMethod}&seconds={ExpiresIn}"

    def upload(self, url: str, body: bytes) -> None:
        """What a PUT to a pre-signed URL does."""
        bucket, key = _named(url, "PUT")
        self.put_object(bucket, key, body)

    def download(self, url: str) -> bytes:
        """What a GET of a pre-signed URL answers."""
        bucket, key = _named(url, "GET")
        return self.objects[bucket][key]


def _named(url: str, method: str) -> tuple[str, str]:
    parts = urlsplit(url)
    if f"for={method}" not in parts.query or parts.hostname is None:
        raise ValueError("the URL is for another method")
    return parts.hostname.partition(".")[0], parts.path[1:]
