"""Shops that sell subscriptions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.payments.subscriptions.sales import Offer, Sales, forget_work, new_sales


@pytest.fixture(autouse=True)
def _nothing_left_to_do() -> Iterator[None]:
    yield
    forget_work()


@pytest.fixture(scope="module")
def sales() -> Sales:
    """A shop for all tests of a module; each sells subscriptions of its own."""
    return new_sales()


@pytest.fixture(scope="module")
def offer(sales: Sales) -> Offer:
    """Gold, by the month: 20.00 once, 30.00 a month, and what was used."""
    return sales.offer()
