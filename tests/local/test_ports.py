"""Ports stay where they were as long as they can."""

from __future__ import annotations

from pathlib import Path

from local.http_server import bind
from local.ports import Ports


def test_a_port_is_kept_over_restarts(tmp_path: Path) -> None:
    first = Ports(tmp_path / "ports.json").choose("cloud")
    assert Ports(tmp_path / "ports.json").choose("cloud") == first


def test_a_preferred_port_is_taken_if_it_is_free(tmp_path: Path) -> None:
    with bind(0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        assert Ports(tmp_path / "a.json").choose("identity", port) != port
    assert Ports(tmp_path / "b.json").choose("identity", port) == port


def test_two_names_never_share_a_port(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json")
    first = ports.choose("a")
    assert ports.choose("b", first) != first


def test_a_file_that_cannot_be_read_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("{")
    assert Ports(tmp_path / "ports.json").choose("cloud") > 0
