"""Keeps what must stay together together: the rows in DynamoDB and the keys in the key store that open them.

A manifest is written once tables and keys are safely on disk, before the first request is served; a marker shows a
first start that never got there, which may be done over. Any other mixture is refused: guessing would lose data.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import Any

from local.layout import Layout
from local.processes import replace_file


class StateError(Exception):
    """The local data cannot be used as it is; the message says what is wrong and what to do."""


@dataclass(slots=True)
class Manifest:
    """What the local data consists of. `keys` maps a logical id to its key id in the key store."""

    engine: str
    keys: dict[str, str] = field(default_factory=dict)


class State:
    """The data folder's manifest and its marker."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._manifest = layout.state / "manifest.json"
        self._marker = layout.state / "unfinished"

    @property
    def is_new(self) -> bool:
        """Whether there is no data that a request was ever served from."""
        return not self._manifest.exists()

    def open(self, engine: str) -> Manifest:
        """The manifest of existing data, or a new one for a first start.

        Raises:
            StateError: a part is missing, or the data was written by another DynamoDB.
        """
        if self._marker.exists():  # no request was ever served from it
            shutil.rmtree(self._layout.state)
        if self._manifest.exists():
            return self._check(self._read(), engine)
        present = [path.name for path in (self._layout.database, self._layout.cloud_state) if path.exists()]
        if present:
            raise StateError(f"local data is incomplete: {' and '.join(present)} without manifest.json; {_WAY_OUT}")
        self._marker.parent.mkdir(parents=True, exist_ok=True)
        self._marker.touch()
        return Manifest(engine)

    def save(self, manifest: Manifest) -> None:
        """Record data that is complete on disk."""
        replace_file(self._manifest, json.dumps({"engine": manifest.engine, "keys": manifest.keys}, indent=2) + "\n")
        self._marker.unlink(missing_ok=True)

    def _read(self) -> Manifest:
        try:
            content: dict[str, Any] = json.loads(self._manifest.read_text(encoding="utf-8"))
            return Manifest(content["engine"], content["keys"])
        except (ValueError, KeyError, TypeError):
            raise StateError(f"local data is damaged: manifest.json cannot be read; {_WAY_OUT}") from None

    def _check(self, manifest: Manifest, engine: str) -> Manifest:
        if manifest.engine != engine:
            raise StateError(f"local data was written by {manifest.engine}, but only {engine} is here; {_WAY_OUT}")
        if engine == "dynoxide" and not self._layout.database.exists():
            raise StateError(f"local data is incomplete: the keys are there, the tables are missing; {_WAY_OUT}")
        if manifest.keys and not (self._layout.cloud_state / "kms.json").exists():
            raise StateError(f"local data is incomplete: the tables are there, the keys are missing; {_WAY_OUT}")
        return manifest

    @staticmethod
    def lost_key(logical_id: str) -> StateError:
        return StateError(f"local data is incomplete: the key {logical_id} is missing from the key store; {_WAY_OUT}")


_WAY_OUT = "`make reset` forgets all local data"
