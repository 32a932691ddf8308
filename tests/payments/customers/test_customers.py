"""Customers through their door: what a merchant does with them, and everything that is refused."""

from __future__ import annotations

from typing import Any

import pytest

from payments.customers.handler import handler
from tests.support.payments import Merchant, merchant_of


@pytest.fixture
def merchant(provision: Any) -> Merchant:
    return merchant_of(provision("create_account", name="test"), handler)


def create(merchant: Merchant, **members: Any) -> dict[str, Any]:
    answer = merchant.call(None, "POST", "/customers", members)
    assert answer.status == 201, answer.body
    return dict(answer.json)


def test_creates_and_reads(merchant: Merchant) -> None:
    made = create(merchant, customerId="c-1", givenName="Jane", metaData={"a": "b"})
    assert made["version"] == 1
    assert made["linkedSpaceId"] == merchant.space_id
    assert "metaData" not in made
    path = f"/customers/{made['id']}"
    assert merchant.call(None, "GET", path).json == made
    assert merchant.call(None, "GET", f"{path}?expand=metaData").json == {**made, "metaData": {"a": "b"}}
    listed = merchant.call(None, "GET", "/customers").json
    assert listed == {"data": [made], "hasMore": False, "limit": 10}
    found = merchant.call(None, "GET", "/customers/search?query=customerId:C-1").json
    assert found == {"data": [made], "hasMore": False, "limit": 10, "offset": 0}
    after = merchant.call(None, "PATCH", path, {"version": 1, "familyName": "Doe"})
    assert after.json == {**made, "version": 2, "familyName": "Doe"}
    assert merchant.call(None, "DELETE", path).status == 204
    assert merchant.call(None, "GET", path).status == 404
