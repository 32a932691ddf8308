"""Reports how large an artifact is, against Lambda's limits. It measures and decides nothing."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

UNZIPPED_LIMIT_BYTES = 250 * 1024 * 1024


@dataclass(frozen=True)
class Size:
    """Bytes of one part of an artifact, unzipped and as the archive that is uploaded."""

    part: str
    unzipped: int
    zipped: int


def unzipped_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def zipped_bytes(folder: Path) -> int:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return buffer.tell()


def measure(artifact: Path) -> list[Size]:
    """One line per layer and one for the code, which all functions share."""
    parts = [*sorted(f"layers/{layer.name}" for layer in (artifact / "layers").iterdir()), "functions"]
    return [Size(part, unzipped_bytes(artifact / part), zipped_bytes(artifact / part)) for part in parts]


def report(sizes: list[Size]) -> str:
    megabyte = 1024 * 1024
    lines = [
        f"  {size.part:<20} {size.unzipped / megabyte:6.1f} MB, zipped {size.zipped / megabyte:5.1f} MB"
        for size in sizes
    ]
    total = sum(size.unzipped for size in sizes)
    limit = UNZIPPED_LIMIT_BYTES // megabyte
    return "\n".join([*lines, f"  {'together':<20} {total / megabyte:6.1f} MB of {limit} MB"])
