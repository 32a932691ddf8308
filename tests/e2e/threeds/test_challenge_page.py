"""The challenge as a person meets it: in Chromium, on a desk and on a phone, with and without scripts, in a frame."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.e2e.threeds.shop import Shop
from tests.threeds import conftest

WAIT_SECONDS = 20
_IGNORED = re.compile("favicon|Blocked autofocusing")


@pytest.fixture
def made(shop: Shop) -> dict[str, Any]:
    return shop.pay(conftest.CHALLENGE)


def link(made: dict[str, Any]) -> str:
    return str(made["action_requirement"]["target_url"])


def own_page(shop: Shop, made: dict[str, Any]) -> str:
    return f"{shop.stack.base_url}/authentications/challenges/{made['action_requirement']['session_id']}"


def await_heading(browser: webdriver.Chrome, text: str) -> None:
    # The page that is being left may still answer.
    WebDriverWait(browser, WAIT_SECONDS, ignored_exceptions=[StaleElementReferenceException]).until(
        lambda driver: any(each.text == text for each in driver.find_elements(By.TAG_NAME, "h1"))
    )


def code_field(browser: webdriver.Chrome) -> WebElement:
    return browser.find_element(By.NAME, "challenge_code")


def complaints(browser: webdriver.Chrome) -> list[str]:
    """What the browser had to say against the pages: refused by their policies, broken scripts.

    That it does not focus a field within a frame is its own custom."""
    entries: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [each["message"] for each in entries if not _IGNORED.search(each["message"])]


def test_a_wrong_code_then_the_right_one(desk: webdriver.Chrome, shop: Shop, made: dict[str, Any]) -> None:
    complaints(desk)
    desk.get(link(made))
    await_heading(desk, "Confirm your payment")
    assert "42.00 EUR" in desk.page_source
    assert desk.switch_to.active_element == code_field(desk)
    code_field(desk).send_keys("000000", Keys.ENTER)
    WebDriverWait(desk, WAIT_SECONDS).until(lambda driver: driver.find_elements(By.CSS_SELECTOR, "[role=alert]"))
    assert "2 tries left" in desk.find_element(By.CSS_SELECTOR, "[role=alert]").text
    assert code_field(desk).get_attribute("aria-describedby") == "problem hint"
    code_field(desk).send_keys("123456", Keys.ENTER)
    await_heading(desk, "You are authenticated")
    assert desk.current_url == own_page(shop, made)
    assert shop.read(made)["status"] == "COMPLETED"
    assert complaints(desk) == []


def test_cancelling_on_a_phone(phone: webdriver.Chrome, shop: Shop, made: dict[str, Any]) -> None:
    phone.get(link(made))
    await_heading(phone, "Confirm your payment")
    assert phone.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    for button in phone.find_elements(By.TAG_NAME, "button"):
        assert button.size["height"] >= 44
    phone.find_element(By.NAME, "cancel").click()
    await_heading(phone, "You were not authenticated")
    assert shop.read(made)["failure_details"][0]["reason"] == "challenge_abandoned"


def test_our_page_posts_the_creq_by_itself(desk: webdriver.Chrome, shop: Shop, made: dict[str, Any]) -> None:
    complaints(desk)
    desk.get(own_page(shop, made))
    await_heading(desk, "Confirm your payment")
    code_field(desk).send_keys("123456", Keys.ENTER)
    await_heading(desk, "You are authenticated")
    assert complaints(desk) == []
    desk.get(own_page(shop, made))
    await_heading(desk, "This page cannot be shown")
    assert "The challenge has ended" in desk.page_source


def test_without_scripts_buttons_do_it(desk: webdriver.Chrome, shop: Shop, made: dict[str, Any]) -> None:
    desk.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        desk.get(own_page(shop, made))
        await_heading(desk, "To your bank")
        desk.find_element(By.TAG_NAME, "button").click()
        await_heading(desk, "Confirm your payment")
        code_field(desk).send_keys("123456", Keys.ENTER)
        await_heading(desk, "Back to the shop")
        desk.find_element(By.TAG_NAME, "button").click()
        await_heading(desk, "You are authenticated")
    finally:
        desk.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert shop.read(made)["status"] == "COMPLETED"


def test_in_a_frame_of_the_shops_page(desk: webdriver.Chrome, shop: Shop, made: dict[str, Any]) -> None:
    complaints(desk)
    with page_that_frames(link(made)) as address:
        desk.get(address)
        desk.switch_to.frame(desk.find_element(By.TAG_NAME, "iframe"))
        code_field(desk).send_keys("123456", Keys.ENTER)
        await_heading(desk, "You are authenticated")
        desk.switch_to.default_content()
    assert shop.read(made)["status"] == "COMPLETED"
    assert complaints(desk) == []


@contextmanager
def page_that_frames(url: str) -> Iterator[str]:
    """A shop's page on another origin."""
    page = f'<!doctype html><title>Shop</title><iframe src="{url}" width="500" height="700"></iframe>'.encode()

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
