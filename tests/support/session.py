"""The session's surroundings: a DynamoDB over HTTP, the template's variables, key and queue services in the process.

Importing this sets them up, once per test process, before anything of the project is imported. Tests of
one module share the tables and never an account, so they need no order and leave nothing that another could see.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support import environment, tables
from tests.support.environment import DEPLOYMENT
from tests.support.functions import FakeLambda
from tests.support.http import Handler, Merchant
from tests.support.keys import FakeKms
from tests.support.objects import FakeS3
from tests.support.queues import FakeSqs

_database = tables.running()
_url = _database.__enter__()
atexit.register(_database.__exit__, None, None, None)
environment.set_up(_url)
tables.create_all(_url, streams=False)  # nobody reads them here, and the database pays for each record it keeps

from tollgate import aws, clock  # noqa: E402

_kms = FakeKms()
_sqs = FakeSqs()
_objects = FakeS3()
_functions = FakeLambda(DEPLOYMENT)
aws.kms = lambda: _kms  # type: ignore[assignment]
aws.sqs = lambda: _sqs  # type: ignore[assignment]
aws.s3 = lambda: _objects  # type: ignore[assignment]
aws.lambda_ = lambda: _functions  # type: ignore[assignment]


@pytest.fixture
def dynamodb_url() -> str:
    return _url


@pytest.fixture
def kms() -> FakeKms:
    return _kms


@pytest.fixture
def sqs() -> FakeSqs:
    """The queue service, empty."""
    _sqs.sent.clear()
    return _sqs


@pytest.fixture
def s3() -> FakeS3:
    """The object service."""
    return _objects


@pytest.fixture
def functions() -> FakeLambda:
    """The function service, with nothing invoked yet."""
    _functions.invoked.clear()
    return _functions


def forget_objects() -> None:
    """Empty every table but those of accounts and of the sandbox, which functions remember in this process."""
    tables.empty(_url, DEPLOYMENT.tables.keys() - {"IdentityTable", "SandboxTable"})


class HeldClock(clock.Clock):
    """Time that stands until a test moves it."""

    def __init__(self, at: datetime) -> None:
        super().__init__(lambda: self.at)
        self.at = at

    def advance(self, **step: float) -> None:
        self.at += timedelta(**step)


@pytest.fixture
def held_clock() -> Iterator[HeldClock]:
    """Real time, held still."""
    held = HeldClock(datetime.now(UTC))
    former = clock.use(held)
    yield held
    clock.use(former)


@pytest.fixture
def provision() -> Callable[..., dict[str, Any]]:
    """Carries out a provisioning payload, as an operator would."""
    from control.provisioning.handler import handler

    def carry_out(action: str, **members: Any) -> dict[str, Any]:
        return handler({"action": action, **members}, object())

    return carry_out


@pytest.fixture
def make_merchant(provision: Callable[..., dict[str, Any]]) -> Callable[[Handler], Merchant]:
    """Makes callers, each with a new account."""

    def make(handler: Handler) -> Merchant:
        account = provision("create_account", name="test")
        return Merchant(handler, account["id"], account["vault"]["api_key"], account["vault"]["hmac_key"])

    return make
