"""The receiving endpoint: only with the capability for this very card, which nobody else can make; stores nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.http import Response, send
from tests.vault.imports.driving import Importer
from tollgate import aws
from vault.imports import handler as door
from vault.imports.errors import RowProblem
from vault.imports.service.forwarding import VALID_SECONDS, Forwarding

IMPORT = "11111111-1111-4111-8111-111111111111"
CARD = {"account_number": "4242424242424242", "expiry_month": "04", "expiry_year": 2033, "cardholder_name": "Jane Doe"}
PATH = "/cde-import/stripe"


@pytest.fixture
def forwarding(importer: Importer) -> Forwarding:
    return door._forwarding


def post(capability: str | None, body: Any) -> Response:
    headers = {} if capability is None else {"x-hellgate-import": capability}
    return send(door.handler, "POST", PATH, headers=headers, json_body=body)


def received(importer: Importer, forwarding: Forwarding, **changes: Any) -> Response:
    return post(forwarding.capability(importer.account_id, IMPORT, "pm_1"), {**CARD, "business_key": "pm_1", **changes})


def test_card_comes_back_sealed_for_its_import(importer: Importer, forwarding: Forwarding) -> None:
    answer = received(importer, forwarding)
    assert (answer.status, set(answer.json)) == (200, {"business_key", "sealed_card"})
    assert b"4242" not in base64.b64decode(answer.json["sealed_card"])
    opened: Mapping[str, Any] = forwarding.open(importer.account_id, IMPORT, "pm_1", answer.json["sealed_card"])
    assert opened == CARD


def test_card_is_not_stored(importer: Importer, forwarding: Forwarding) -> None:
    def count() -> int:
        answer = aws.dynamodb().scan(TableName=door._settings.vault_table, Select="COUNT")
        return int(answer["Count"])

    received(importer, forwarding)  # makes the account's data key
    before = count()
    received(importer, forwarding)
    assert count() == before


@pytest.mark.parametrize("capability", [None, "", "x", "a.b.c.d", "\u00e9", "x" * 9000])
def test_capability_is_required(capability: str | None) -> None:
    answer = post(capability, {**CARD, "business_key": "pm_1"})
    assert (answer.status, answer.json["classifier"]) == (401, "UNAUTHORIZED")


def test_capability_holds_for_one_card_of_one_import_of_one_account(importer: Importer, forwarding: Forwarding) -> None:
    good = forwarding.capability(importer.account_id, IMPORT, "pm_1")
    account, import_id, end, proof = good.split(".")
    other = "22222222-2222-4222-8222-222222222222"
    forged = [
        f"{other}.{import_id}.{end}.{proof}",
        f"{account}.{other}.{end}.{proof}",
        f"{account}.{import_id}.{int(end) + 1}.{proof}",
        f"{account}.{import_id}.{end}.{'0' * 64}",
        f"{account}.{import_id}.{end}.{proof[:-1]}",
        good + " ",
        good.upper(),
    ]
    assert post(good, {**CARD, "business_key": "pm_1"}).status == 200
    assert {post(each, {**CARD, "business_key": "pm_1"}).status for each in forged} == {401}
    assert post(good, {**CARD, "business_key": "pm_2"}).status == 401
    assert post(good, CARD).status == 401


def test_capability_ends(importer: Importer, forwarding: Forwarding, held_clock: Any) -> None:
    good = forwarding.capability(importer.account_id, IMPORT, "pm_1")
    held_clock.advance(seconds=VALID_SECONDS)
    assert post(good, {**CARD, "business_key": "pm_1"}).status == 200
    held_clock.advance(seconds=1)
    assert post(good, {**CARD, "business_key": "pm_1"}).status == 401


def test_stranger_makes_no_key(importer: Importer) -> None:
    """A call without proof leaves nothing, least of all a data key for an account that it invents."""
    account = "33333333-3333-4333-8333-333333333333"
    post(f"{account}.{IMPORT}.99999999999.{'0' * 64}", {**CARD, "business_key": "pm_1"})
    found = aws.dynamodb().query(
        TableName=door._settings.vault_table, KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"KEYS#cards#{account}"}},
    )  # fmt: skip
    assert found["Count"] == 0


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"account_number": ["4242424242424242"]}, "$.account_number"),
        ({"expiry_month": 4.5}, "$.expiry_month"),
        ({"expiry_year": True}, "$.expiry_year"),
        ({"cardholder_name": "x" * 301}, "$.cardholder_name"),
    ],
)
def test_members_of_strange_types_are_refused(
    importer: Importer, forwarding: Forwarding, changes: dict[str, Any], path: str
) -> None:
    answer = received(importer, forwarding, **changes)
    assert (answer.status, answer.paths()) == (422, [path])
    assert b"4242" not in answer.body


def test_sealed_card_opens_for_nothing_else(importer: Importer, stranger: Importer, forwarding: Forwarding) -> None:
    sealed = received(importer, forwarding).json["sealed_card"]
    mine = importer.account_id
    flipped = base64.b64encode(base64.b64decode(sealed)[:-1] + b"\x00").decode()
    wrong = [
        (stranger.account_id, IMPORT, "pm_1", sealed),
        (mine, "22222222-2222-4222-8222-222222222222", "pm_1", sealed),
        (mine, IMPORT, "pm_2", sealed),
        (mine, IMPORT, "pm_1", flipped),
        (mine, IMPORT, "pm_1", "no base64"),
        (mine, IMPORT, "pm_1", ""),
    ]
    for arguments in wrong:
        with pytest.raises(RowProblem, match="changed on its way"):
            forwarding.open(*arguments)
