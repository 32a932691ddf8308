"""A card's number and its code are nowhere in the family: not in its table, its logs, its answers, on its queues."""

from __future__ import annotations

from typing import Any

import pytest

from tests.payments.shops import DECLINED, Shop, card, table
from tests.support.queues import FakeSqs
from tollgate import aws

CANARY = "4556737586899855"
CODE = "9917"  # a code of four digits is refused for this scheme: the refusal must not repeat it


def everything_stored() -> str:
    """The whole payments table as text."""
    pages = aws.dynamodb().get_paginator("scan").paginate(TableName=table().name, ConsistentRead=True)
    return "".join(str(item) for page in pages for item in page["Items"])


def test_no_number_and_no_code(
    shop: Shop, sqs: FakeSqs, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[Any] = []
    number = shop.create(tokenizationMode="FORCE_CREATION")["id"]
    path = f"/payment/transactions/{number}/process-card-details"
    spaced = " ".join(CANARY[n : n + 4] for n in range(0, 16, 4))
    answers.append(shop.call("POST", path, card(CANARY, cardVerificationCode=CODE)))
    answers.append(shop.call("POST", path, card(f"{CANARY[:-1]}4")))
    answers.append(shop.call("POST", path, card(CANARY, expiryDate=CANARY)))
    answers.append(shop.call("POST", path, {"cardData": {"primaryAccountNumber": int(CANARY)}}))
    answers.append(shop.call("POST", path, {"paymentMethodConfiguration": CANARY, **card(CANARY)}))
    answers.append(shop.call("POST", path, raw=f'{{"cardData":{{"primaryAccountNumber":"{CANARY}",}}}}'))
    assert {answer.status for answer in answers} <= {400, 422}
    answers.append(shop.call("POST", path, card(spaced, cardVerificationCode="917")))
    assert answers[-1].json["state"] == "FULFILL"
    answers.append(shop.call("POST", path, card(CANARY)))
    declined = shop.create()["id"]
    answers.append(shop.call("POST", f"/payment/transactions/{declined}/process-card-details", card(DECLINED)))
    for each in (number, declined):
        expand = "token,group,paymentConnectorConfiguration"
        answers.append(shop.call("GET", f"/payment/transactions/{each}?expand={expand}"))
        found = f"/payment/charge-attempts/search?query=linkedTransaction:{each}"
        answers.append(shop.call("GET", f"{found}&expand=labels,tokenVersion,charge"))
    said = "".join(answer.body.decode() for answer in answers)
    shown = capsys.readouterr()
    logged = shown.out + shown.err + caplog.text + "".join(str(each.__dict__) for each in caplog.records)
    for pan in (CANARY, spaced, DECLINED, f"{CANARY[:-1]}4"):
        for where, text in (
            ("answers", said),
            ("logs", logged),
            ("table", everything_stored()),
            ("queues", str(sqs.sent)),
        ):
            assert pan not in text, where
    assert CODE not in said
    assert '"cardVerificationCode"' not in logged
