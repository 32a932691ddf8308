"""The bucket of results. A result is written by one attempt under a name of its own and never again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

PART_BYTES: Final = 8 * 1024 * 1024
_MEDIA_TYPE: Final = "text/csv"


class ResultStore:
    """One bucket, through one client."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._where = {"Bucket": bucket}

    def write(self, key: str, file: Path) -> None:
        """Write a file as an object, in parts of eight megabytes. One that is never ended the lifecycle removes."""
        where = {**self._where, "Key": key}
        with file.open("rb") as source:
            part = source.read(PART_BYTES)
            rest = source.read(PART_BYTES)
            if not rest:
                self._client.put_object(**where, Body=part, ContentType=_MEDIA_TYPE)
                return
            upload = str(self._client.create_multipart_upload(**where, ContentType=_MEDIA_TYPE)["UploadId"])
            parts: list[dict[str, Any]] = []
            while part:
                number = len(parts) + 1
                sent = self._client.upload_part(**where, UploadId=upload, PartNumber=number, Body=part)
                parts.append({"ETag": sent["ETag"], "PartNumber": number})
                part, rest = rest, source.read(PART_BYTES)
        self._client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})

    def download_url(self, key: str, seconds: int, file_name: str) -> str:
        """Where anybody who has this URL may get this one object, for some time."""
        return str(
            self._client.generate_presigned_url(
                ClientMethod="get_object",
                Params={
                    **self._where,
                    "Key": key,
                    "ResponseContentType": _MEDIA_TYPE,
                    "ResponseContentDisposition": f'attachment; filename="{file_name}"',
                },
                ExpiresIn=seconds,
                HttpMethod="GET",
            )
        )
