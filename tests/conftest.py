"""What holds for every test: no way out of this machine, no credentials of a real account, one stack at a time."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path
from typing import Any

import pytest

STACK_TESTS = Path(__file__).parent / "e2e"

# Before anything is imported that could look for a real account.
os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="eu-central-1")
os.environ.update(AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)
os.environ.pop("AWS_PROFILE", None)

from tests.support import permissions, session  # noqa: E402
from tests.support.permissions import _only_what_is_granted  # noqa: E402, F401
from tests.support.session import (  # noqa: E402, F401
    dynamodb_url,
    functions,
    held_clock,
    kms,
    make_merchant,
    provision,
    s3,
    sqs,
)
from tollgate import ids  # noqa: E402

permissions.install()

_connect = socket.socket.connect


def _connect_locally(self: socket.socket, address: Any) -> None:
    """A test that leaves the machine would depend on it, so it fails here and says where it wanted to go."""
    if self.family in {socket.AF_INET, socket.AF_INET6} and not _is_loopback(str(address[0])):
        raise AssertionError(f"a test tried to connect to {address[0]}")
    _connect(self, address)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(autouse=True, scope="session")
def _stay_on_this_machine() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _connect_locally)
        yield


@pytest.fixture(autouse=True, scope="module")
def _tables_without_the_former_module() -> None:
    """What others left costs time, in sweeps above all: they go through everything that is due."""
    session.forget_objects()


@pytest.fixture(autouse=True)
def _numbers_of_their_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that went into the future leaves no numbers from there to the next one."""
    monkeypatch.setattr(ids, "_last_number", 0)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(permissions.Permissions())


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests of the whole stack share its ports and the machine's two cores: one worker runs them all, one by one."""
    if item.path.is_relative_to(STACK_TESTS):
        item.add_marker(pytest.mark.stack)
        item.add_marker(pytest.mark.xdist_group("stack"))
