"""Fixtures of the payments family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.payments.shops import Shop, new_shop
from tests.support.http import Handler
from tests.support.payments import Merchant, merchant_of

MakeTenant = Callable[..., Merchant]


@pytest.fixture
def make_tenant(provision: Callable[..., dict[str, Any]]) -> MakeTenant:
    """Makes tenants, each with an account, a space and an application user of its own."""

    def make(handler: Handler | None = None, name: str = "shop") -> Merchant:
        return merchant_of(provision("create_account", name=name), handler)

    return make


@pytest.fixture
def merchant(make_tenant: MakeTenant) -> Merchant:
    return make_tenant()


@pytest.fixture(scope="module")
def shop() -> Shop:
    """A shop for all tests of a module; each makes its own transactions."""
    return new_shop()
