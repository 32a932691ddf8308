"""Killed at whatever call, of the database or of the card zone: once the clock has been at it, books and acquirer
agree, nothing was charged, captured or paid back twice, and nothing is left under way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from payments.acquiring import Acquiring, OperationUnknown
from payments.connectors import CONNECTORS
from payments.engine.models import Entity
from payments.engine.repository import Objects
from payments.resources.refunds import REFUND
from payments.resources.transactions import TRANSACTION_COMPLETION, TRANSACTION_VOID
from payments.transactions.models import operation_reference
from payments.transactions.public import Transactions
from payments.work import Work
from tests.payments.shops import SHIRT, Shop, settle, table
from tests.payments.transactions.test_outcomes import work_rows
from tests.support.environment import DEPLOYMENT
from tests.support.faults import Killed, deaths
from tests.support.functions import FakeLambda
from tests.support.session import HeldClock
from tollgate import aws, ids

PATH = "/payment/transactions"


def acquirer_says(shop: Shop, transaction: Entity, reference: str) -> str:
    """What the acquirer has in its books under a reference."""
    acquiring = Acquiring(aws.lambda_(), DEPLOYMENT.functions["Acquiring"].name)
    connector = CONNECTORS[transaction.attributes["connector"]]
    try:
        return acquiring.ask(shop.merchant.tenant, str(connector.acquirer), reference).status
    except OperationUnknown:
        return "unknown"


def check(shop: Shop, number: int) -> None:
    """Books and acquirer agree about one transaction."""
    transaction, objects = shop.stored(number), Objects(table())
    assert transaction.state not in ("PROCESSING",), "left under way"
    assert not transaction.attributes.get("completing")
    assert not transaction.attributes.get("voiding")
    kinds = [each for each in work_rows(number) if each not in ("authorisation-ends", "completion-ends")]
    assert kinds == []
    reference = transaction.attributes.get("reference")
    if reference is not None:
        authorised = acquirer_says(shop, transaction, reference) == "approved"
        assert authorised == (transaction.state != "FAILED")
    for resource, kind, field in (
        (TRANSACTION_COMPLETION, "capture", "linkedTransaction"), (TRANSACTION_VOID, "void", "linkedTransaction"),
        (REFUND, "refund", "transaction"),
    ):  # fmt: skip
        done = []
        for each in objects.ids(resource, shop.scope, (field, str(number)), 0, 10**16 - 1, False):
            found = objects.read(resource, shop.scope, each)
            assert found.state in ("SUCCESSFUL", "FAILED")
            said = acquirer_says(shop, transaction, operation_reference(transaction, kind, each))
            if found.values.get("mode") != "DIRECT":
                assert (said == "approved") == (found.state == "SUCCESSFUL")
            done.append(found.state)
        assert done.count("SUCCESSFUL") <= 1


def draft(shop: Shop) -> int:
    return int(shop.create(chargeRetryEnabled=False, lineItems=[SHIRT])["id"])


def authorised(shop: Shop) -> int:
    return int(shop.authorised(lineItems=[SHIRT])["id"])


def paid(shop: Shop) -> int:
    return int(shop.paid(lineItems=[SHIRT])["id"])


def refund(shop: Shop, number: int) -> Any:
    body = {"externalId": ids.new_uuid(), "type": "MERCHANT_INITIATED_ONLINE", "transaction": number, "amount": 80}
    return shop.call("POST", "/payment/refunds", body)


SCENES: dict[str, tuple[Callable[[Shop], int], Callable[[Shop, int], Any]]] = {
    "pay": (draft, lambda shop, number: shop.process(number)),
    "complete": (authorised, lambda shop, number: shop.call("POST", f"{PATH}/{number}/complete-online")),
    "void": (authorised, lambda shop, number: shop.call("POST", f"{PATH}/{number}/void-online")),
    "refund": (paid, refund),
}


def recover(clock: HeldClock) -> None:
    for _ in range(2):
        clock.advance(hours=2)
        settle()


@pytest.mark.parametrize("scene", SCENES)
def test_killed_at_a_call_of_the_database(shop: Shop, held_clock: HeldClock, scene: str) -> None:
    prepare, act = SCENES[scene]
    numbers = [prepare(shop)]
    for _ in deaths(aws.dynamodb(), lambda: act(shop, numbers[-1])):
        recover(held_clock)
        check(shop, numbers[-1])
        numbers.append(prepare(shop))
    check(shop, numbers[-1])
    assert len(numbers) >= 6


@contextmanager
def killed_at_invocation(n: int, *, after: bool) -> Iterator[list[int]]:
    """Within the block the n-th invocation of a function kills the caller, before or after it."""
    made, invoke = [0], FakeLambda.invoke

    def killing(self: FakeLambda, **arguments: Any) -> Any:
        made[0] += 1
        if made[0] == n and not after:
            raise Killed
        answer = invoke(self, **arguments)
        if made[0] == n:
            raise Killed
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeLambda, "invoke", killing)
        yield made


@pytest.mark.parametrize("scene", SCENES)
def test_killed_at_a_call_of_the_card_zone(shop: Shop, held_clock: HeldClock, scene: str) -> None:
    prepare, act = SCENES[scene]
    for n in (1, 2) if scene == "pay" else (1,):
        for after in (False, True):
            number = prepare(shop)
            with killed_at_invocation(n, after=after), pytest.raises(Killed):
                act(shop, number)
            assert shop.state(number) != "FAILED"
            recover(held_clock)
            if scene == "pay" and n == 1:  # the card was not even kept, or nobody used it
                assert shop.state(number) == "PENDING"
                continue
            check(shop, number)


def settle_one(shop: Shop, number: int) -> None:
    """What the clock does about one transaction."""
    row = Work(
        "transactions", "charge", shop.stored(number).attributes["due"], shop.merchant.tenant, shop.scope, number
    )
    transactions = Transactions.of(table().name, DEPLOYMENT.functions["Acquiring"].name)
    transactions.settling.settle(row)


def test_the_clock_itself_is_killed(shop: Shop, held_clock: HeldClock) -> None:
    """The worker dies at each of its calls while it settles a payment nobody answered for; another run ends it."""
    from tests.payments.shops import SILENT

    numbers = [draft(shop)]
    shop.process(numbers[-1], SILENT)
    held_clock.advance(minutes=2)
    for _ in deaths(aws.dynamodb(), lambda: settle_one(shop, numbers[-1])):
        recover(held_clock)
        check(shop, numbers[-1])
        assert shop.state(numbers[-1]) == "FULFILL"
        numbers.append(draft(shop))
        shop.process(numbers[-1], SILENT)
        held_clock.advance(minutes=2)
    assert len(numbers) >= 4


def test_a_row_that_came_twice_changes_nothing(shop: Shop, held_clock: HeldClock) -> None:
    """Work that another writer has done, or that is of a time gone by, is taken away."""
    number = paid(shop)
    before = shop.stored(number)
    for kind in ("charge", "completion", "void", "authorisation-ends", "completion-ends"):
        table().put(
            {"pk": f"PAYMENT-WORK#transactions#{number % 8}", "sk": f"{1:012d}#{kind}#{number:016d}",
             "tenant": shop.merchant.tenant, "scope": shop.scope}
        )  # fmt: skip
    settle()
    assert work_rows(number) == []
    assert shop.stored(number) == before
