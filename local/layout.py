"""Where the local machine's files are: programs under `.tools`, data under `.local` (or a throw-away folder)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Layout:
    """`data` is all that a run writes; removing it is `make reset`."""

    data: Path
    template: Path
    tools: Path = ROOT / ".tools"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def credentials(self) -> Path:
        return self.data / "credentials.json"

    @property
    def lock(self) -> Path:
        return self.data / "lock"

    @property
    def processes(self) -> Path:
        return self.data / "processes.json"

    @property
    def ports(self) -> Path:
        return self.data / "ports.json"

    @property
    def state(self) -> Path:
        """Everything that must stay together: tables, keys, buckets, positions."""
        return self.data / "data"

    @property
    def database(self) -> Path:
        return self.state / "dynamodb.db"

    @property
    def cloud_state(self) -> Path:
        return self.state / "cloud"

    @property
    def objects(self) -> Path:
        return self.state / "objects"

    @property
    def positions(self) -> Path:
        return self.state / "positions.json"

    @property
    def ministack(self) -> Path:
        return self.tools / "ministack" / "bin" / "ministack"

    @property
    def dynoxide(self) -> Path:
        return self.tools / "node_modules" / "@dynoxide" / "linux-x64" / "dynoxide"


def checkout(data: Path | None = None, template: Path | None = None) -> Layout:
    """The layout of this checkout."""
    return Layout((data or ROOT / ".local").resolve(), (template or ROOT / "template.yaml").resolve())
