"""The two artifacts, built once per session. All tests here run on one worker, so that they are built by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.build import artifact
from tools.build.artifact import Variant


@pytest.fixture(scope="session")
def host_artifact() -> Variant:
    """What is deployed, for the interpreter that runs the tests."""
    variant = artifact.host()
    artifact.build(variant)
    return variant


@pytest.fixture(scope="session")
def aws_artifact() -> Variant:
    """What is deployed. Wheels for Lambda are downloaded when the pins have changed."""
    variant = artifact.aws()
    artifact.build(variant)
    return variant


def pytest_itemcollected(item: pytest.Item) -> None:
    """At once: when all are collected, the workers' plugin may already have read the groups."""
    if item.path.is_relative_to(Path(__file__).parent):
        item.add_marker(pytest.mark.xdist_group("artifact"))
