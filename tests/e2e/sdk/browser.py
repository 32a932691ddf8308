"""A headless Chromium that looks at a shop's page, and the card form inside it as a person uses it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.support.environment import ROOT
from tests.support.tables import free_port

WAIT_SECONDS = 20
PHONE = {"width": 360, "height": 740, "pixelRatio": 2.0}

# What reaches the shop's page by messages is noted there before any script of the page runs.
_NOTE_MESSAGES = """
if (window === window.top) {
  window.heard = [];
  const note = (data) => window.heard.push(JSON.stringify(data));
  window.addEventListener("message", (event) => note(event.data));
  const own = Object.getOwnPropertyDescriptor(MessagePort.prototype, "onmessage");
  Object.defineProperty(MessagePort.prototype, "onmessage", {
    ...own, set(hear) { own.set.call(this, (event) => { note(event.data); hear.call(this, event); }); },
  });
}
"""


def binaries() -> tuple[str, str]:
    """The paths of Chromium and its driver; a test without them fails and says what to install."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.fail("This test needs Chromium and its driver: apt-get install chromium chromium-driver", pytrace=False)
    return browser, driver


@contextmanager
def chromium(*, phone: bool = False) -> Iterator[webdriver.Chrome]:
    """A browser with an empty profile, as wide as a desk's or a phone's."""
    browser, driver = binaries()
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--lang=en-GB"):
        options.add_argument(argument)
    # Both sites in one process, so that the tests can see what the frame sends; the rules between origins stay.
    options.add_argument("--disable-site-isolation-trials")
    options.add_argument("--disable-features=IsolateOrigins,site-per-process")
    options.add_argument("--window-size=1100,900")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    if phone:
        options.add_experimental_option("mobileEmulation", {"deviceMetrics": {**PHONE, "touch": True}})
    started = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield started
    finally:
        started.quit()


@contextmanager
def shop(credentials: Path) -> Iterator[str]:
    """The example shop in a process of its own; yields its address."""
    port = free_port()
    command = [
        sys.executable,
        str(ROOT / "sdk/example/shop.py"),
        "--credentials",
        str(credentials),
        "--port",
        str(port),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert "open" in process.stdout.readline()
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(10)
        assert process.stdout
        process.stdout.close()


class Page:
    """The shop's page with the form in it. Looks into the frame, and comes back to the page for what is the shop's."""

    def __init__(self, browser: webdriver.Chrome, address: str) -> None:
        self.browser = browser
        self.address = address
        self._scripts: list[str] = []

    def open(self, *, script: str = "", waits: bool = True, **options: str) -> Page:
        """Open the shop with these options of the form, and wait until a card can be typed."""
        for kind in ("performance", "browser"):
            self.browser.get_log(kind)
        self._run_first(_NOTE_MESSAGES, script)
        self.browser.get(f"{self.address}/?{urlencode(options)}")
        if waits:
            self.wait(lambda: any('"ready"' in each for each in self.heard()))
        return self

    def _run_first(self, *scripts: str) -> None:
        """Scripts that run in every frame before its own, for this opening alone."""
        for known in self._scripts:
            self.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": known})
        added = [
            self.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
            for source in scripts
        ]
        self._scripts = [each["identifier"] for each in added]

    def close(self) -> None:
        self._run_first()

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Until it holds; a page that is replaced meanwhile is looked at again."""
        return WebDriverWait(
            self.browser, WAIT_SECONDS, poll_frequency=0.05, ignored_exceptions=[StaleElementReferenceException]
        ).until(lambda _: condition())

    # ------------------------------------------------------------------ the shop's page

    def heard(self) -> list[str]:
        """Every message that the shop's page was sent."""
        self.browser.switch_to.default_content()
        return list(self.browser.execute_script("return window.heard"))

    def result(self) -> str:
        self.browser.switch_to.default_content()
        return self.browser.find_element(By.ID, "result").text

    def in_page(self, script: str, *arguments: Any) -> Any:
        self.browser.switch_to.default_content()
        return self.browser.execute_script(script, *arguments)

    # ------------------------------------------------------------------ the form

    def field(self, name: str) -> WebElement:
        self._enter_frame()
        return self.browser.find_element(By.ID, name)

    def in_form(self, script: str, *arguments: Any) -> Any:
        self._enter_frame()
        return self.browser.execute_script(script, *arguments)

    def type(self, **values: str) -> Page:
        for name, value in values.items():
            self.field(name).send_keys(value)
        return self

    def fill(self, **changes: str) -> Page:
        """Type a good card, but for the changes."""
        card = {"number": "4242424242424242", "expiry": "0433", "code": "123", "name": "John Doe"}
        return self.type(**{**card, **changes})

    def press(self) -> Page:
        self.field("submit").click()
        return self

    def clear(self, name: str) -> Page:
        self.field(name).send_keys(Keys.CONTROL, "a")
        self.field(name).send_keys(Keys.DELETE)
        return self

    def value(self, name: str) -> str:
        return str(self.field(name).get_property("value"))

    def text(self, name: str) -> str:
        return self.field(name).text

    def errors(self) -> dict[str, str]:
        """The errors that are shown, by field."""
        shown = {name: self.text(f"{name}-error") for name in ("number", "expiry", "code", "name")}
        return {name: text for name, text in shown.items() if text}

    def focused(self) -> str:
        return str(self.in_form("return document.activeElement.id"))

    def _enter_frame(self) -> None:
        self.browser.switch_to.default_content()
        self.browser.switch_to.frame(self.browser.find_element(By.TAG_NAME, "iframe"))

    # ------------------------------------------------------------------ what left the browser

    def requests(self) -> list[dict[str, Any]]:
        """Every request since the page was opened, with what it sent."""
        events = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        return [each["params"]["request"] for each in events if each["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """What the browser complained of: errors of scripts, refusals of the content security policy."""
        return [entry["message"] for entry in self.browser.get_log("browser") if "favicon" not in entry["message"]]

    def screenshot(self, path: Path) -> None:
        self.browser.switch_to.default_content()
        shot = self.browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        path.write_bytes(base64.b64decode(shot["data"]))
