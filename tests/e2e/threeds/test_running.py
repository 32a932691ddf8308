"""3-D Secure on the running stack: every component behind its own HTTP address, the clock, the guide."""

from __future__ import annotations

import re
import subprocess
from urllib.parse import urlsplit

import pytest

from tests.e2e.stack import Stack
from tests.e2e.threeds.shop import Shop
from tests.support.environment import ROOT
from tests.threeds import conftest


@pytest.mark.parametrize(
    ("account_number", "status", "transaction_status"),
    [
        (conftest.FRICTIONLESS, "COMPLETED", "Y"),
        (conftest.ATTEMPT, "COMPLETED", "A"),
        (conftest.REFUSED, "FAILED", "N"),
        (conftest.REJECTED, "FAILED", "R"),
        (conftest.UNAVAILABLE, "FAILED", "U"),
    ],
)
def test_the_table_of_cards(shop: Shop, account_number: str, status: str, transaction_status: str) -> None:
    made = shop.pay(account_number)
    data = made["authentication_result"]["cardholder_data"]
    assert (made["status"], data["transaction_status"]) == (status, transaction_status)
    assert shop.read(made) == made


def test_the_link_takes_a_plain_form(shop: Shop) -> None:
    made = shop.pay(conftest.CHALLENGE)
    parts = urlsplit(made["action_requirement"]["target_url"])
    target = f"{parts.path}?{parts.query}"
    shown = shop.stack.send("GET", target)
    assert (shown.status, b'name="challenge_code"' in shown.body) == (200, True)
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert shop.stack.send("POST", target, headers=form, body=b"challenge_code=123456").status == 200
    assert shop.read(made)["status"] == "COMPLETED"
    assert shop.stack.send("POST", target, headers=form, body=b"challenge_code=123456").status == 409


def test_the_clock_settles_what_is_open(own_stack: Stack) -> None:
    shop = Shop.open(own_stack)
    decoupled, silent = shop.pay(conftest.DECOUPLED), shop.pay(conftest.SILENT)
    assert {decoupled["status"], silent["status"]} == {"PROCESSING"}
    assert own_stack.send("POST", "/sandbox/clock", json_body={"advance_seconds": 601}).status == 200
    assert shop.read(decoupled)["status"] == "COMPLETED"
    over = shop.read(silent)
    assert (over["status"], over["failure_details"][0]["reason"]) == ("FAILED", "challenge_timeout")
    for path in (own_stack.data / "logs").rglob("*"):
        text = path.read_text("utf-8", "replace") if path.is_file() else ""
        assert conftest.DECOUPLED not in text
        assert conftest.SILENT not in text


def test_the_guides_shell_lines_work_when_pasted(own_stack: Stack) -> None:
    guide = (ROOT / "docs/guides/3d-secure.md").read_text("utf-8")
    script = "\n".join(re.findall(r"```sh\n(.*?)```", guide, re.DOTALL))
    script = script.replace("http://127.0.0.1:8080", own_stack.base_url).replace(".local/", f"{own_stack.data}/")
    ran = subprocess.run(["sh", "-eu", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=90, check=True)
    assert '"status":"COMPLETED"' in ran.stdout
    assert '"reason":"authentication_failed"' in ran.stdout
    assert '"reason":"too_early"' in ran.stdout
    assert '"type":"SUBSEQUENT_RECURRING"' in ran.stdout
    assert '"reason":"challenge_timeout"' in ran.stdout
