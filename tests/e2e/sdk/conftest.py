"""A browser for each width, shared by the tests of a session; each test opens the shop anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium import webdriver

from tests.e2e.sdk.browser import Page, chromium, shop
from tests.e2e.stack import Stack


@pytest.fixture(scope="session")
def shop_address(stack: Stack) -> Iterator[str]:
    with shop(stack.data / "credentials.json") as address:
        yield address


@pytest.fixture(scope="session")
def desk_browser() -> Iterator[webdriver.Chrome]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def phone_browser() -> Iterator[webdriver.Chrome]:
    with chromium(phone=True) as browser:
        yield browser


@pytest.fixture
def desk(desk_browser: webdriver.Chrome, shop_address: str) -> Iterator[Page]:
    page = Page(desk_browser, shop_address)
    yield page
    page.close()


@pytest.fixture
def phone(phone_browser: webdriver.Chrome, shop_address: str) -> Iterator[Page]:
    page = Page(phone_browser, shop_address)
    yield page
    page.close()
