"""A shop on the shared stack, and a browser for each width."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium import webdriver

from tests.e2e.sdk.browser import chromium
from tests.e2e.stack import Stack
from tests.e2e.threeds.shop import Shop


@pytest.fixture(scope="session")
def shop(stack: Stack) -> Shop:
    return Shop.open(stack)


@pytest.fixture(scope="session")
def desk() -> Iterator[webdriver.Chrome]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def phone() -> Iterator[webdriver.Chrome]:
    with chromium(phone=True) as browser:
        yield browser
