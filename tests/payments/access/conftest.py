"""Fixtures of the group."""

from __future__ import annotations

from typing import Any

import pytest

from payments.access.handler import handler
from tests.support.payments import Merchant


@pytest.fixture
def admin(make_tenant: Any) -> Merchant:
    """The administrating user of a new tenant."""
    return make_tenant(handler)
