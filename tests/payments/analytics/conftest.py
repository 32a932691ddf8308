"""A merchant with a few payments in its space, and the two functions of analytics at its hands."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from payments.analytics import worker
from payments.analytics.clients import sandboxed
from payments.analytics.clients.engine import Engine
from payments.analytics.handler import handler
from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.resources.transactions import TRANSACTION
from tests.payments.conftest import MakeTenant
from tests.support.environment import variables
from tests.support.http import Response
from tests.support.objects import FakeS3
from tests.support.payments import Merchant
from tests.support.queues import FakeSqs
from tollgate import aws, clock, ids
from tollgate.store.table import Table

_names = itertools.count(1)


def store_payment(space: int, **values: Any) -> Entity:
    """A transaction of a space, as if it had been paid."""
    objects = Objects(Table(variables()["PAYMENTS_TABLE"], aws.dynamodb()))
    number = ids.new_number(clock.now())
    own = {"id": number, "version": 1, "createdOn": "2026-03-04T05:06:07.008Z", "linkedSpaceId": space}
    entity = Entity(TRANSACTION, f"S{space}", number, 1, {**own, **values})
    transaction = objects.begin()
    objects.insert(transaction, entity)
    transaction.commit()
    return entity


@dataclass
class Analyst:
    """A merchant who submits queries and runs the worker when asked to."""

    merchant: Merchant
    sqs: FakeSqs
    s3: FakeS3

    def call(self, method: str, path: str, body: Any = None, **further: Any) -> Response:
        further.setdefault("account", self.merchant.account_id)
        return self.merchant.call(handler, method, f"/analytics/queries{path}", body, space=None, **further)

    def submit(self, sql: str, name: str = "") -> str:
        external_id = name or f"query-{next(_names)}"
        answer = self.call("POST", f"/submit?queryExternalId={external_id}", {"sql": sql})
        assert answer.status == 201, answer.body
        return str(answer.json["queryToken"])

    def work(self) -> list[str]:
        """Deliver what is on the queue; answers the ids of messages that have to come again."""
        bodies = [body for queue in self.sqs.sent.values() for body in queue]
        self.sqs.sent.clear()
        records = [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]
        failed = worker.handler({"Records": records}, object())["batchItemFailures"]
        return [each["itemIdentifier"] for each in failed]

    def status(self, token: str) -> dict[str, Any]:
        return dict(self.call("GET", f"/queryToken/{token}").json)

    def rows(self, token: str) -> list[list[str]]:
        """The result with its header, fetched as a client does."""
        answer = self.call("GET", f"/queryToken/{token}/result", headers={"accept": "text/plain"})
        assert answer.status == 200, answer.body
        return list(csv.reader(io.StringIO(self.s3.download(answer.body.decode()).decode())))

    def ask(self, sql: str) -> list[list[str]]:
        """The result of a query, from submission to download."""
        token = self.submit(sql)
        assert self.work() == []
        assert self.status(token)["status"] == "SUCCESS", self.status(token)
        return self.rows(token)

    def refused(self, sql: str) -> str:
        """Why a query has failed."""
        token = self.submit(sql)
        assert self.work() == []
        found = self.status(token)
        assert found["status"] == "FAILED", found
        return str(found["failureMessage"])


MakeAnalyst = Callable[[], Analyst]


class InThisProcess(Engine):
    """The engine without a process of its own, which takes a third of a second to start. What a process is there for
    is tested with one (`in_processes`)."""

    def _verdict(self, plan: str, is_wanted: Callable[[], bool]) -> dict[str, Any]:
        assert is_wanted()
        return sandboxed.carry_out(json.loads(plan))


@pytest.fixture
def in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries are carried out as they are where we are deployed."""
    monkeypatch.setattr(worker._execution, "_engine", Engine())


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker._execution, "_engine", InThisProcess())


@pytest.fixture
def make_analyst(make_tenant: MakeTenant, sqs: FakeSqs, s3: FakeS3) -> MakeAnalyst:
    return lambda: Analyst(make_tenant(handler), sqs, s3)


@pytest.fixture
def analyst(make_analyst: MakeAnalyst) -> Analyst:
    made = make_analyst()
    space = made.merchant.space_id
    store_payment(space, state="FULFILL", currency="CHF", authorizationAmount=Decimal("0.10"), merchantReference="a")
    store_payment(space, state="FULFILL", currency="CHF", authorizationAmount=Decimal("0.20"), merchantReference='b,"')
    store_payment(space, state="FAILED", currency="EUR", billingAddress={"country": "DE", "city": "Köln"})
    return made
