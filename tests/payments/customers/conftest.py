"""Merchants with customers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from payments.customers.handler import handler
from tests.payments.conftest import MakeTenant
from tests.support.http import Response
from tests.support.payments import Merchant

Create = Callable[..., dict[str, Any]]


@pytest.fixture
def merchant(make_tenant: MakeTenant) -> Merchant:
    return make_tenant(handler)


@pytest.fixture
def create(merchant: Merchant) -> Create:
    """Makes customers of the merchant."""

    def make(**members: Any) -> dict[str, Any]:
        answer = merchant.call(None, "POST", "/customers", members)
        assert answer.status == 201, answer.body
        return dict(answer.json)

    return make


Get = Callable[[str], Response]


@pytest.fixture
def get(merchant: Merchant) -> Get:
    """Reads something of the merchant's."""
    return lambda path: merchant.call(None, "GET", path)
