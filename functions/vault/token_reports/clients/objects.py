"""The bucket of written reports: token ids, original ids and times, never anything of a card."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from vault.token_reports.models import Written

PART_BYTES: Final = 8 * 1024 * 1024
_MEDIA_TYPE: Final = "text/csv"


class ReportStore:
    """One bucket, through one client."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def write(self, key: str, lines: Iterable[bytes], header: bytes) -> Written:
        """Write header and lines as one object, in parts of eight megabytes, so that any size fits into memory."""
        upload = _Upload(self._client, self._bucket, key)
        digest, rows, total, part = hashlib.sha256(), 0, 0, bytearray(header)
        for each in lines:
            part += each
            rows += 1
            if len(part) >= PART_BYTES:
                digest.update(part)
                total += len(part)
                upload.add(bytes(part))
                part.clear()
        digest.update(part)
        upload.end(bytes(part))
        return Written(key, rows, total + len(part), digest.hexdigest())

    def download_url(self, key: str, seconds: int, file_name: str) -> str:
        """Where anybody who has this URL may get this one object, for some time."""
        return str(
            self._client.generate_presigned_url(
                ClientMethod="get_object",
                Params={
                    "Bucket": self._bucket,
                    "Key": key,
                    "ResponseContentType": _MEDIA_TYPE,
                    "ResponseContentDisposition": f'attachment; filename="{file_name}"',
                },
                ExpiresIn=seconds,
                HttpMethod="GET",
            )
        )


class _Upload:
    """An object in the making. One that is never ended is removed by the bucket's lifecycle."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client = client
        self._where = {"Bucket": bucket, "Key": key}
        self._id: str | None = None
        self._parts: list[dict[str, Any]] = []

    def add(self, part: bytes) -> None:
        if self._id is None:
            made = self._client.create_multipart_upload(**self._where, ContentType=_MEDIA_TYPE)
            self._id = str(made["UploadId"])
        number = len(self._parts) + 1
        answer = self._client.upload_part(**self._where, UploadId=self._id, PartNumber=number, Body=part)
        self._parts.append({"ETag": answer["ETag"], "PartNumber": number})

    def end(self, rest: bytes) -> None:
        if self._id is None:
            self._client.put_object(**self._where, Body=rest, ContentType=_MEDIA_TYPE)
            return
        if rest:
            self.add(rest)
        self._client.complete_multipart_upload(**self._where, UploadId=self._id, MultipartUpload={"Parts": self._parts})
