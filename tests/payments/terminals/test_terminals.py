"""Payment terminals through their door: life, payments that wait and resume, summaries, receipts."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from payments.terminals import handler as door
from tests.payments.shops import Shop, lines_of, new_shop, settle
from tests.support.faults import deaths
from tests.support.http import Response, send
from tests.support.session import HeldClock
from tollgate import aws, clock

TYPE = 1580000000001
SLOW, GONE, DECLINED, NEVER = "100.71", "100.72", "100.73", "100.74"


@pytest.fixture(scope="module")
def shop() -> Shop:
    return new_shop()


@dataclass(frozen=True)
class Terminal:
    """A terminal of a shop."""

    shop: Shop
    values: dict[str, Any]

    @property
    def path(self) -> str:
        return f"/payment/terminals/{self.values['id']}"

    def call(self, method: str, path: str = "", body: Any = None) -> Response:
        return self.shop.merchant.call(door.handler, method, self.path + path, body)

    def read(self) -> dict[str, Any]:
        return dict(self.call("GET").json)

    def perform(self, transaction: int) -> Response:
        return self.call("POST", f"/perform-transaction?transactionId={transaction}")

    def begin(self, amount: str = "100.00", **members: Any) -> int:
        """A transaction to perform; answers its id."""
        return int(self.shop.create(lineItems=lines_of(amount), **members)["id"])

    def balance(self) -> dict[str, Any]:
        made = self.call("POST", "/trigger-final-balance")
        assert made.status == 201, made.body
        found = self.shop.merchant.call(
            door.handler, "GET", f"/payment/terminals/transaction-summaries/{made.json['id']}"
        )
        return dict(found.json)


def make(shop: Shop, *, serial: str | None = "", **members: Any) -> Terminal:
    body = {"externalId": str(uuid.uuid4()), "type": TYPE, "name": "Till 1", **members}
    made = shop.merchant.call(door.handler, "POST", "/payment/terminals", body)
    assert made.status == 201, made.body
    terminal = Terminal(shop, made.json)
    if serial is not None:
        assert terminal.call("POST", f"/link?serialNumber={serial or uuid.uuid4().hex}").status == 204
    return terminal


@pytest.fixture
def terminal(shop: Shop) -> Terminal:
    return make(shop)


@pytest.fixture(autouse=True)
def waiting(held_clock: HeldClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Waiting takes no time here: each pause moves the clocks on."""
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        held_clock.advance(seconds=seconds)

    former = clock.use_pause(pause)
    monkeypatch.setattr(door._performing, "_monotonic", lambda: int(held_clock.at.timestamp() * 10**9))
    yield paused
    clock.use_pause(former)


class TestLife:
    def test_from_making_to_giving_up(self, shop: Shop) -> None:
        terminal = make(shop, serial=None, identifier="till-1")
        assert (terminal.values["state"], terminal.values["identifier"]) == ("PREPARING", "till-1")
        serial = uuid.uuid4().hex
        for _ in range(2):
            assert terminal.call("POST", f"/link?serialNumber={serial}").status == 204
        linked = terminal.read()
        assert (linked["state"], linked["deviceSerialNumber"], "activatedOn" in linked) == ("ACTIVE", serial, True)
        assert terminal.call("POST", "/trigger-configuration").status == 204
        named = terminal.call("PATCH", body={"version": terminal.read()["version"], "name": "Till one"})
        assert named.json["name"] == "Till one"
        for _ in range(2):
            assert terminal.call("POST", "/unlink").status == 204
        assert terminal.read()["state"] == "INACTIVE"
        assert terminal.call("POST", "/trigger-configuration").status == 422
        assert terminal.call("POST", f"/link?serialNumber={serial}").status == 204
        for _ in range(2):
            assert terminal.call("DELETE").status == 204
        gone = terminal.read()
        assert (gone["state"], "deviceSerialNumber" in gone) == ("DECOMMISSIONED", False)
        for method, path in (("POST", f"/link?serialNumber={serial}"), ("POST", "/unlink"), ("PATCH", "")):
            assert terminal.call(method, path, {"version": gone["version"]}).status == 422
        make(shop, serial=serial)

    def test_a_device_is_at_one_terminal_whosever(self, shop: Shop, terminal: Terminal) -> None:
        serial = terminal.read()["deviceSerialNumber"]
        other = make(new_shop(), serial=None)
        taken = other.call("POST", f"/link?serialNumber={serial}")
        assert (taken.status, taken.json["code"]) == (422, "device_linked")
        assert terminal.call("POST", f"/link?serialNumber={uuid.uuid4().hex}").status == 422

    def test_two_terminals_want_one_device(self, shop: Shop) -> None:
        pair, serial = [make(shop, serial=None), make(shop, serial=None)], uuid.uuid4().hex
        with ThreadPoolExecutor(2) as pool:
            answers = pool.map(lambda each: each.call("POST", f"/link?serialNumber={serial}").status, pair)
        assert sorted(answers) == [204, 422]

    @pytest.mark.parametrize(
        ("members", "status", "member"),
        [
            ({"type": None}, 400, "type"),
            ({"type": 5}, 422, "type"),
            ({"name": "n" * 101}, 422, "name"),
            ({"identifier": "a b"}, 422, "identifier"),
            ({"configurationVersion": 5}, 422, "configurationVersion"),
            ({"locationVersion": 5}, 422, "locationVersion"),
        ],
    )
    def test_refusals(self, shop: Shop, members: dict[str, Any], status: int, member: str) -> None:
        body = {"externalId": str(uuid.uuid4()), "type": TYPE, **members}
        answer = shop.merchant.call(door.handler, "POST", "/payment/terminals", body)
        assert (answer.status, list(answer.json["errors"])) == (status, [member])

    def test_identifiers_are_unique_and_found(self, shop: Shop) -> None:
        make(shop, identifier="till-7")
        body = {"externalId": "another", "type": TYPE, "identifier": "TILL-7"}
        answer = shop.merchant.call(door.handler, "POST", "/payment/terminals", body)
        assert (answer.status, answer.json["code"]) == (422, "value_taken")
        found = shop.merchant.call(door.handler, "GET", "/payment/terminals/search?query=identifier:till-7")
        assert len(found.json["data"]) == 1

    @pytest.mark.parametrize("serial", ["", "abc", "a b c d", "ü" * 5])
    def test_serial_numbers_that_are_none(self, shop: Shop, serial: str) -> None:
        from urllib.parse import quote

        terminal = make(shop, serial=None)
        assert terminal.call("POST", f"/link?serialNumber={quote(serial)}").status in (400, 422)


class TestPerforming:
    def test_a_payment(self, shop: Shop, terminal: Terminal) -> None:
        number = terminal.begin()
        done = terminal.perform(number)
        assert (done.status, done.json["state"], done.json["terminal"]) == (
            200,
            "FULFILL",
            {"id": terminal.values["id"]},
        )
        assert done.json["userInterfaceType"] == "TERMINAL"
        (attempt,) = shop.get(f"/payment/charge-attempts/search?query=charge.transaction:{number}&expand=charge")[
            "data"
        ]
        assert (attempt["customersPresence"], attempt["charge"]["type"]) == ("PHYSICAL_PRESENT", "TERMINAL")
        assert terminal.perform(number).json == done.json

    def test_by_identifier(self, shop: Shop) -> None:
        terminal = make(shop, identifier="till-9")
        base = "/payment/terminals/by-identifier"
        path = f"{base}/till-9/perform-transaction?transactionId={terminal.begin()}&expand=group&language=de"
        done = shop.merchant.call(door.handler, "POST", path)
        assert (done.status, done.json["state"], done.json["group"]["state"]) == (200, "FULFILL", "SUCCESSFUL")
        for action in ("trigger-configuration", "trigger-final-balance"):
            assert shop.merchant.call(door.handler, "POST", f"{base}/till-9/{action}").status in (201, 204)
            assert shop.merchant.call(door.handler, "POST", f"{base}/none/{action}").status == 404

    def test_a_slow_buyer_is_waited_for_by_the_next_request(
        self, shop: Shop, terminal: Terminal, waiting: list[float]
    ) -> None:
        number = terminal.begin(SLOW)
        first = terminal.perform(number)
        assert (first.status, first.json["code"]) == (504, "gateway_timeout")
        assert sum(waiting) == door.WAIT_SECONDS
        assert shop.state(number) == "PENDING"
        done = terminal.perform(number)
        assert (done.status, done.json["state"]) == (200, "FULFILL")
        assert 0 < sum(waiting) - door.WAIT_SECONDS <= door.WAIT_SECONDS

    def test_a_buyer_who_goes_away_or_is_declined_ends_it(self, shop: Shop, terminal: Terminal) -> None:
        for amount in (GONE, DECLINED):
            done = terminal.perform(terminal.begin(amount))
            assert (done.status, done.json["state"], "userFailureMessage" in done.json) == (200, "FAILED", True)
        assert terminal.perform(terminal.begin()).json["state"] == "FULFILL"

    def test_a_terminal_serves_one_payment_at_a_time(
        self, shop: Shop, terminal: Terminal, held_clock: HeldClock
    ) -> None:
        waits, other = terminal.begin(NEVER), terminal.begin()
        assert terminal.perform(waits).status == 504
        busy = terminal.perform(other)
        assert (busy.status, busy.json["code"]) == (409, "terminal_busy")
        assert terminal.call("POST", "/unlink").status == 409
        assert terminal.call("DELETE").status == 409
        held_clock.advance(seconds=301)
        assert terminal.perform(other).json["state"] == "FULFILL"
        assert terminal.call("POST", "/unlink").status == 204

    def test_requests_at_once_make_one_payment(self, shop: Shop, terminal: Terminal) -> None:
        number = terminal.begin()
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda _: terminal.perform(number), range(3)))
        assert 200 in {each.status for each in answers}
        assert {each.status for each in answers} <= {200, 504}  # here waiting takes no time, paying does
        assert {terminal.perform(number).json["state"] for _ in answers} == {"FULFILL"}
        tried = shop.get(f"/payment/charge-attempts/search?query=charge.transaction:{number}")["data"]
        assert [each["state"] for each in tried] == ["SUCCESSFUL"]

    def test_what_cannot_be_performed(self, shop: Shop, terminal: Terminal) -> None:
        idle = make(shop, serial=None)
        assert idle.perform(idle.begin()).status == 422
        assert terminal.perform(int(shop.paid()["id"])).status == 422
        assert terminal.perform(17).status == 404
        assert terminal.call("POST", "/perform-transaction").status == 400
        assert terminal.call("POST", "/perform-transaction?transactionId=x").status == 400
        stranger = new_shop()
        assert (
            stranger.merchant.call(door.handler, "POST", f"{terminal.path}/perform-transaction?transactionId=1").status
            == 404
        )

    def test_whoever_dies_is_followed_by_one_who_ends_it(self, shop: Shop, held_clock: HeldClock) -> None:
        terminal = make(shop)
        numbers, paid = [terminal.begin()], 0
        for _ in deaths(aws.dynamodb(), lambda: terminal.perform(numbers[-1])):
            done = terminal.perform(numbers[-1])
            if done.status == 504:  # begun and never heard of: the clock asks the acquirer
                held_clock.advance(seconds=60)
                settle()
                done = terminal.perform(numbers[-1])
            assert done.json.get("state") in ("FULFILL", None), done.body
            state = shop.state(numbers[-1])
            assert state in ("FULFILL", "FAILED")
            paid += state == "FULFILL"
            numbers.append(terminal.begin())
        assert len(numbers) - paid <= 3  # the last one, and what died between being written down and being sent
        assert terminal.balance()["numberOfTransactions"] == paid + 1


class TestTills:
    def test_a_till_performs_one_payment_with_its_credentials(self, shop: Shop, terminal: Terminal) -> None:
        number = terminal.begin(SLOW)
        answer = terminal.call("GET", f"/till-connection-credentials?transactionId={number}")
        assert str(answer.json).startswith(f"{shop.merchant.space_id}-{terminal.values['id']}-{number}-")
        assert till(answer.json).status == 504
        done = till(answer.json)
        assert (done.status, done.json) == (200, {"id": number, "state": "FULFILL"})
        assert till(answer.json).json == done.json

    def test_credentials_that_are_not_good(self, shop: Shop, terminal: Terminal, held_clock: HeldClock) -> None:
        number, other = terminal.begin(), terminal.begin()
        good = str(terminal.call("GET", f"/till-connection-credentials?transactionId={number}").json)
        bent = [
            good.replace(str(number), str(other)),
            good.replace(str(terminal.values["id"]), "17"),
            good[:-1],
            "",
            "x",
        ]
        changed = good[:-1] + ("0" if good[-1] != "0" else "1")
        assert {till(each).status for each in (*bent, changed)} == {404}
        assert till(None).status == till(5).status == 400
        held_clock.advance(seconds=3601)
        assert till(good).status == 404
        assert shop.state(number) == "PENDING"

    def test_none_are_made_for_what_cannot_be_performed(self, shop: Shop, terminal: Terminal) -> None:
        paid = shop.paid()["id"]
        assert terminal.call("GET", f"/till-connection-credentials?transactionId={paid}").status == 422
        assert terminal.call("GET", "/till-connection-credentials?transactionId=17").status == 404
        assert terminal.call("GET", "/till-connection-credentials").status == 400


def till(credentials: Any) -> Response:
    """What a till sends."""
    return send(door.handler, "POST", "/s/till", json_body={"credentials": credentials})


class TestSummaries:
    def test_each_payment_is_in_one(self, shop: Shop, terminal: Terminal) -> None:
        for amount in ("10.00", "20.50", DECLINED):
            terminal.perform(terminal.begin(amount))
        first = terminal.balance()
        assert (first["reference"], first["numberOfTransactions"]) == (1, 2)
        assert first["balanceAmountPerCurrency"] == {"EUR": 30.5}
        (added,) = first["transactionSums"]
        assert (added["brand"], added["transactionCount"], added["transactionAmount"]) == ("VISA", 2, 30.5)
        second = terminal.balance()
        assert (second["reference"], second["numberOfTransactions"], second["startedOn"]) == (2, 0, first["endedOn"])
        terminal.perform(terminal.begin("1.00"))
        assert terminal.balance()["balanceAmountPerCurrency"] == {"EUR": 1}
        path = f"/payment/terminals/transaction-summaries/search?query=paymentTerminal:{terminal.values['id']}"
        assert len(shop.merchant.call(door.handler, "GET", path).json["data"]) == 3

    def test_two_at_once_add_up_once(self, terminal: Terminal) -> None:
        terminal.perform(terminal.begin("10.00"))
        with ThreadPoolExecutor(2) as pool:
            made = list(pool.map(lambda _: terminal.balance(), range(2)))
        assert sorted(each["numberOfTransactions"] for each in made) == [0, 1]
        assert sorted(each["reference"] for each in made) == [1, 2]

    def test_receipts(self, shop: Shop, terminal: Terminal) -> None:
        terminal.perform(terminal.begin("10.00"))
        path = f"/payment/terminals/transaction-summaries/{terminal.balance()['id']}/receipt"
        text = shop.merchant.call(door.handler, "GET", f"{path}?format=TXT&width=40").json
        assert text["mimeType"] == "text/plain"
        lines = base64.b64decode(text["data"]).decode().splitlines()
        assert max(map(len, lines)) <= 40
        assert "EUR 10.00" in "\n".join(lines)
        pdf = shop.merchant.call(door.handler, "GET", f"{path}?format=PDF&width=58").json
        assert pdf["mimeType"] == "application/pdf"
        for query in ("format=TXT", "width=40", "format=GIF&width=40", "format=TXT&width=19", "format=TXT&width=201"):
            assert shop.merchant.call(door.handler, "GET", f"{path}?{query}").status == 400

    def test_receipts_of_a_transaction(self, shop: Shop, terminal: Terminal) -> None:
        number = terminal.begin("10.00")
        terminal.perform(number)
        found = shop.get(f"/payment/transactions/{number}/terminal-receipts?format=TXT&width=32")["data"]
        texts = [base64.b64decode(each["data"]).decode() for each in found]
        assert [text.splitlines()[0] for text in texts] == ["MERCHANT COPY", "CUSTOMER COPY"]
        assert "424242******4242" in texts[0]
        elsewhere = shop.paid()["id"]
        assert shop.get(f"/payment/transactions/{elsewhere}/terminal-receipts?format=PDF&width=58")["data"] == []


def test_a_pdf_that_readers_take() -> None:
    """Its table of contents points at the objects, and its page is as wide as asked for."""
    import re

    from payments.terminals.rules import as_pdf

    made = as_pdf([("Zürich (main)", "EUR 1.00"), ("back\\slash", "")], 58)
    start = int(re.findall(rb"startxref\n(\d+)", made)[0])
    assert made[start:].startswith(b"xref")
    for number, place in enumerate(re.findall(rb"(\d{10}) 00000 n", made), 1):
        assert made[int(place) :].startswith(f"{number} 0 obj".encode())
    assert re.findall(rb"/MediaBox \[0 0 (\d+) ", made) == [b"164"]
    (length,) = re.findall(rb"/Length (\d+)", made)
    stream = made.partition(b"stream\n")[2].partition(b"\nendstream")[0]
    assert len(stream) == int(length)
    assert rb"Z\374rich".replace(rb"\374", b"\xfc") in stream
    assert rb"\(main\)" in stream


def test_sums_keep_currencies_and_brands_apart() -> None:
    from payments.terminals.rules import Paid, balances, sums

    added = sums([Paid("VISA", "EUR", Decimal("1.10")), Paid("VISA", "EUR", Decimal("2.20")),
                  Paid("MASTERCARD", "EUR", Decimal(5)), Paid("VISA", "JPY", Decimal(100))])  # fmt: skip
    assert [(each["brand"], each["transactionCurrency"], each["transactionAmount"]) for each in added] == [
        ("MASTERCARD", "EUR", Decimal(5)), ("VISA", "EUR", Decimal("3.30")), ("VISA", "JPY", Decimal(100)),
    ]  # fmt: skip
    assert balances(added) == {"EUR": Decimal("8.30"), "JPY": Decimal(100)}
