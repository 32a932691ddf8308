"""How far each stream and schedule has come, on disk, so that a restart goes on where the last run ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from local.processes import replace_file


class Positions:
    """A small map of text to JSON values. Written whole after every change: it is a few hundred bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._values = {}  # everything is read again from its beginning: delivered twice, never lost

    def get(self, name: str) -> Any:
        return self._values.get(name)

    def highest(self, prefix: str) -> int:
        """The largest number among the values whose name begins so; 0 without one."""
        values = [value for name, value in self._values.items() if name.startswith(prefix)]
        return max((int(value) for value in values if value), default=0)

    def set(self, name: str, value: Any) -> None:
        self._values[name] = value
        replace_file(self._path, json.dumps(self._values, indent=1), sync=False)
