"""Rows and keys that do not belong together are never served together."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.layout import Layout
from local.state import Manifest, State, StateError


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "data", tmp_path / "template.yaml", tmp_path / "tools")


def complete(layout: Layout, engine: str = "dynoxide") -> None:
    """What a finished first start leaves."""
    state = State(layout)
    manifest = state.open(engine)
    layout.cloud_state.mkdir(parents=True)
    (layout.cloud_state / "kms.json").write_text("{}")
    if engine == "dynoxide":
        layout.database.write_text("")
    manifest.keys["Key"] = "id"
    state.save(manifest)


def test_finished_data_opens_again(layout: Layout) -> None:
    assert State(layout).is_new
    complete(layout)
    assert not State(layout).is_new
    assert State(layout).open("dynoxide") == Manifest("dynoxide", {"Key": "id"})


def test_a_first_start_that_was_interrupted_is_done_over(layout: Layout) -> None:
    State(layout).open("dynoxide")
    layout.database.write_text("half made")
    layout.cloud_state.mkdir()
    assert State(layout).open("dynoxide") == Manifest("dynoxide")
    assert not layout.database.exists()


@pytest.mark.parametrize(
    ("lost", "complaint"),
    [
        ("data/dynamodb.db", "the tables are missing"),
        ("data/cloud/kms.json", "the keys are missing"),
        ("data/manifest.json", "without manifest.json"),
    ],
)
def test_a_lost_part_is_refused_and_the_way_out_named(layout: Layout, lost: str, complaint: str) -> None:
    complete(layout)
    (layout.data / lost).unlink()
    with pytest.raises(StateError, match=f"{complaint}; `make reset`"):
        State(layout).open("dynoxide")


def test_a_manifest_that_cannot_be_read_is_refused(layout: Layout) -> None:
    complete(layout)
    (layout.state / "manifest.json").write_text("[1")
    with pytest.raises(StateError, match="damaged"):
        State(layout).open("dynoxide")


def test_data_of_another_dynamodb_is_refused(layout: Layout) -> None:
    complete(layout, "ministack")
    with pytest.raises(StateError, match="written by ministack, but only dynoxide is here"):
        State(layout).open("dynoxide")
