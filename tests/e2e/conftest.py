"""One running stack for all end-to-end tests of a session; a test that kills it starts its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack that most tests share."""
    running = Stack(tmp_path_factory.mktemp("stack") / "data")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack that the test may stop, kill and start again."""
    own = Stack(tmp_path / "data")
    own.start()
    yield own
    own.stop()
