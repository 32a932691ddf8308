"""Payments whose buyer is authenticated first: to the issuer and back in a browser, by the clock, twice, not at all."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import urlsplit

import pytest

from payments.authentication_pages.handler import WAIT_SECONDS
from payments.payers import Requestor
from payments.transactions.public import Acting
from payments.transactions.service.charging import BUYER_SECONDS
from payments.work import ASK_AFTER_SECONDS
from tests.payments.payment_page.test_page import Browser as Buyer
from tests.payments.shops import DECLINED, Shop, card, lines_of, settle, table
from tests.payments.transactions.test_deaths import acquirer_says
from tests.payments.transactions.test_outcomes import attempts, work_rows
from tests.support.environment import DEPLOYMENT
from tests.support.faults import deaths
from tests.support.functions import FakeLambda
from tests.support.session import HeldClock
from tests.support.tables import items
from tests.threeds import browser
from tests.threeds.conftest import ATTEMPT, CHALLENGE, FRICTIONLESS, REFUSED, UNAVAILABLE
from tests.threeds.network import Network, loses_the_answer, silent, unreachable
from threeds.addresses import DIRECTORY_PATH
from tollgate import aws
from tollgate.egress import Egress

PATH = "/payment/transactions"
DEMANDING = "4000000000003063"
"""The acquirer refuses it without an authentication."""
HOST = {"host": "tollgate.test"}
MEASURED = {
    "color_depth": "30", "screen_height": "900", "screen_width": "1440", "time_zone_offset": "-120",
    "java_enabled": "false",
}  # fmt: skip
DONE, NOT_DONE = "https://flowers.example/done", "https://flowers.example/not-done"
NOT_AUTHENTICATED, TIMED_OUT = 1460954915011, 1460954915009


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    made = Network()
    monkeypatch.setattr(Egress, "request", lambda self, *positional, **named: made.request(*positional, **named))
    return made


def begun(shop: Shop, pan: str, **members: Any) -> tuple[int, str]:
    """A payment that waits for its buyer, and where to send the browser."""
    number = shop.create(**{"successUrl": DONE, "failedUrl": NOT_DONE, **members})["id"]
    return number, send(shop, number, pan)


def send(shop: Shop, number: int, pan: str, **members: Any) -> str:
    answer = shop.call(
        "POST", f"{PATH}/{number}/process-card-details-threed", card(pan, **members),
        headers={**HOST, "accept": "text/plain"},
    )  # fmt: skip
    assert answer.status == 200, answer.body
    return answer.body.decode()


def location(page: browser.Page) -> str:
    assert page.status == 303, page.text
    return page.response.headers["location"]


def opened(url: str) -> str:
    """Where the browser goes after it has opened the authentication."""
    return location(browser.get(url).submit(**MEASURED))


def through(url: str, pan: str = FRICTIONLESS, code: str = "123456") -> str:
    """The whole way of a buyer; answers where the browser is sent in the end."""
    target = opened(url)
    if "/acs/" in target:
        challenge = browser.get(target).submit(challenge_code=code)
        target = location(challenge.submit())
    return location(browser.get(target))


def asked(network: Network) -> int:
    """How often the directory server was asked."""
    return sum(each.path == DIRECTORY_PATH for each in network.sent)


def settle_authentications() -> None:
    from threeds.authentications.worker import handler as worker

    worker({}, object())


class TestWithoutTheBuyerNoticing:
    def test_paid_with_the_issuers_word(self, shop: Shop, network: Network) -> None:
        number, url = begun(shop, DEMANDING)
        assert urlsplit(url).path == f"/s/{shop.merchant.space_id}/payment/transaction/authenticate/{number}"
        (attempt,) = attempts(shop, number)
        assert (shop.state(number), attempt["redirectionUrl"]) == ("PROCESSING", url)
        assert network.sent == []
        assert through(url) == DONE
        now = shop.get(f"{PATH}/{number}")
        assert (now["state"], now["screenWidth"], now["internetProtocolAddress"]) == ("FULFILL", "1440", "127.0.0.1")
        assert work_rows(number) == []
        (attempt,) = shop.get(f"/payment/charge-attempts/search?query=linkedTransaction:{number}&expand=labels")["data"]
        told = {each["descriptor"]["id"]: each["contentAsString"] for each in attempt["labels"]}
        assert [told[1457546096010 + n] for n in (0, 3, 4)] == ["FULLY_AUTHENTICATED", "05", "true"]

    def test_without_it_the_same_card_is_declined(self, shop: Shop) -> None:
        assert shop.paid(DEMANDING, chargeRetryEnabled=False)["failureReason"]["id"] == 1460954915004

    def test_the_issuer_is_told_of_the_browser_the_space_and_the_payment(self, shop: Shop, network: Network) -> None:
        _, url = begun(shop, FRICTIONLESS, lineItems=lines_of("12.34"))
        page = browser.get(url, {**browser.HTML, "user-agent": "Browser/1"})
        browser.post(
            page.action, {**page.fields, **MEASURED},
            {**browser.HTML, "user-agent": "Browser/1", "accept-language": "de-CH,de;q=0.9",
             "content-type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
        request = network.messages("AReq")[0]
        expected = {
            "browserUserAgent": "Browser/1", "browserLanguage": "de-CH", "browserIP": "127.0.0.1",
            "browserColorDepth": "24", "browserScreenHeight": "900", "browserScreenWidth": "1440", "browserTZ": "-120",
            "browserJavascriptEnabled": True, "browserJavaEnabled": False, "purchaseAmount": "1234",
            "purchaseCurrency": "978", "acctNumber": FRICTIONLESS, "deviceChannel": "02",
            "threeDSRequestorID": f"S{shop.merchant.space_id}", "threeDSRequestorDecReqInd": "N",
        }  # fmt: skip
        assert {name: request[name] for name in expected} == expected

    def test_a_browser_without_scripts(self, shop: Shop, network: Network) -> None:
        _, url = begun(shop, FRICTIONLESS)
        assert location(browser.get(location(browser.get(url).submit()))) == DONE
        assert network.messages("AReq")[0]["browserJavascriptEnabled"] is False

    def test_an_attempt_shifts_the_liability_too(self, shop: Shop, network: Network) -> None:
        number, url = begun(shop, ATTEMPT)
        assert through(url) == DONE
        assert liable(shop, number) is True

    @pytest.mark.parametrize("behaviour", ["cannot", "unreachable"])
    def test_where_nobody_can_be_asked_the_acquirer_decides(self, shop: Shop, network: Network, behaviour: str) -> None:
        """And the merchant is liable."""
        number, url = begun(shop, UNAVAILABLE if behaviour == "cannot" else FRICTIONLESS)
        demanding, other = begun(shop, DEMANDING, chargeRetryEnabled=False)
        if behaviour == "cannot":
            assert through(url) == DONE
        else:
            with network.when(DIRECTORY_PATH, unreachable):
                assert [through(url), through(other)] == [DONE, NOT_DONE]
            assert shop.get(f"{PATH}/{demanding}")["failureReason"]["id"] == 1460954915004
        assert (shop.state(number), liable(shop, number)) == ("FULFILL", False)

    def test_who_is_not_here_is_not_asked(self, shop: Shop, network: Network) -> None:
        number = shop.create(successUrl=DONE, customersPresence="NOT_PRESENT")["id"]
        assert send(shop, number, FRICTIONLESS) == DONE
        number = shop.create(successUrl=DONE)["id"]
        sent = send(shop, number, DEMANDING, recurringIndicator="MERCHANT_INITIATED_RECURRING_TRANSACTION")
        assert (sent, shop.state(number), network.sent) == (DONE, "FULFILL", [])


def liable(shop: Shop, number: int) -> Any:
    """Whether the last attempt's liability is the issuer's."""
    from payments.engine.repository import Objects
    from payments.resources.transactions import CHARGE_ATTEMPT

    last = attempts(shop, number)[-1]["id"]
    return Objects(table()).read(CHARGE_ATTEMPT, shop.scope, last).attributes["liability_shift"]


class TestChallenges:
    def test_passed(self, shop: Shop, network: Network) -> None:
        number, url = begun(shop, CHALLENGE, completionBehavior="COMPLETE_DEFERRED")
        assert through(url) == DONE
        assert (shop.state(number), liable(shop, number)) == ("AUTHORIZED", True)

    def test_not_passed_and_tried_again(self, shop: Shop, network: Network) -> None:
        number, url = begun(shop, CHALLENGE)
        back = location(browser.get(opened(url)).submit(cancel="1").submit())
        assert urlsplit(location(browser.get(back))).path.endswith(f"/transaction/pay/{number}")
        now = shop.get(f"{PATH}/{number}")
        assert (now["state"], "confirmed with your bank" in now["userFailureMessage"]) == ("PROCESSING", True)
        assert [each["failureReason"]["id"] for each in attempts(shop, number)] == [NOT_AUTHENTICATED]
        assert through(send(shop, number, FRICTIONLESS)) == DONE
        assert [each["state"] for each in attempts(shop, number)] == ["FAILED", "SUCCESSFUL"]

    def test_refused_and_not_to_be_tried_again(self, shop: Shop, network: Network) -> None:
        number, url = begun(shop, REFUSED, chargeRetryEnabled=False)
        assert through(url) == NOT_DONE
        assert shop.get(f"{PATH}/{number}")["failureReason"]["id"] == NOT_AUTHENTICATED
        assert work_rows(number) == []
        assert shop.stored(number).attributes.get("reference") is not None
        assert acquirer_says(shop, shop.stored(number), shop.stored(number).attributes["reference"]) == "unknown"

    def test_proven_and_declined(self, shop: Shop, network: Network) -> None:
        number, url = begun(shop, DECLINED, chargeRetryEnabled=False)
        assert through(url) == NOT_DONE
        assert shop.get(f"{PATH}/{number}")["failureReason"]["id"] == 1460954915001

    def test_opened_again_it_leads_to_the_same_challenge(self, shop: Shop, network: Network) -> None:
        _, url = begun(shop, CHALLENGE)
        page = browser.get(url)
        target = location(page.submit(**MEASURED))
        assert location(browser.get(url)) == location(page.submit()) == target
        assert asked(network) == 1
        coming_back = url.replace("/authenticate/", "/authenticated/")
        assert location(browser.get(coming_back)) == target


class TestFromThePaymentPage:
    def buyer(self, shop: Shop, **members: Any) -> Buyer:
        return Buyer(shop, shop.create(**{"successUrl": DONE, "failedUrl": NOT_DONE, **members}))

    def test_a_card_that_demands_it_leads_to_its_issuer(self, shop: Shop, network: Network) -> None:
        buyer = self.buyer(shop)
        page = buyer.pay_by_card(DEMANDING)
        url = buyer.get(page.headers["location"]).headers["location"]
        assert urlsplit(url).path.endswith(f"/transaction/authenticate/{buyer.number}")
        (attempt,) = attempts(shop, buyer.number)
        assert (attempt["state"], attempt["redirectionUrl"], buyer.state()) == ("PROCESSING", url, "PROCESSING")
        assert through(url) == DONE
        assert [each["state"] for each in attempts(shop, buyer.number)] == ["SUCCESSFUL"]
        assert (buyer.state(), liable(shop, buyer.number)) == ("FULFILL", True)

    def test_who_does_not_go_there_has_not_paid(self, shop: Shop, network: Network, held_clock: HeldClock) -> None:
        buyer = self.buyer(shop, chargeRetryEnabled=False, tokenizationMode="FORCE_CREATION")
        buyer.pay_by_card(DEMANDING)
        held_clock.advance(seconds=ASK_AFTER_SECONDS)
        settle()
        assert (buyer.state(), network.sent) == ("PROCESSING", [])
        held_clock.advance(seconds=BUYER_SECONDS)
        settle()
        assert (buyer.state(), work_rows(buyer.number)) == ("FAILED", [])

    def test_once_the_issuer_was_asked_its_no_is_final(self, shop: Shop, network: Network) -> None:
        """An acquirer that demands what was already given does not send the buyer round in circles."""
        buyer = self.buyer(shop, chargeRetryEnabled=False)
        page = buyer.pay_by_card(DEMANDING)
        url = buyer.get(page.headers["location"]).headers["location"]
        with network.when(DIRECTORY_PATH, unreachable):
            assert through(url) == NOT_DONE
        assert shop.get(f"{PATH}/{buyer.number}")["failureReason"]["id"] == 1460954915004


class TestByTheClock:
    def test_nobody_comes(self, shop: Shop, network: Network, held_clock: HeldClock) -> None:
        number, url = begun(shop, FRICTIONLESS, chargeRetryEnabled=False)
        held_clock.advance(seconds=BUYER_SECONDS - 1)
        settle()
        assert shop.state(number) == "PROCESSING"
        held_clock.advance(seconds=1)
        settle()
        assert shop.get(f"{PATH}/{number}")["failureReason"]["id"] == TIMED_OUT
        assert (location(browser.get(url)), network.sent, work_rows(number)) == (NOT_DONE, [], [])

    def test_nobody_comes_back_from_a_challenge_that_was_passed(
        self, shop: Shop, network: Network, held_clock: HeldClock
    ) -> None:
        number, url = begun(shop, CHALLENGE)
        browser.get(opened(url)).submit(challenge_code="123456")
        assert shop.state(number) == "PROCESSING"
        held_clock.advance(seconds=ASK_AFTER_SECONDS)
        settle()
        assert (shop.state(number), liable(shop, number), work_rows(number)) == ("FULFILL", True, [])

    def test_nobody_answers_the_challenge(self, shop: Shop, network: Network, held_clock: HeldClock) -> None:
        number, url = begun(shop, CHALLENGE, chargeRetryEnabled=False)
        opened(url)
        for _ in range(6):
            held_clock.advance(seconds=200)
            settle()
            settle_authentications()
        settle()
        held_clock.advance(hours=1)
        settle()
        assert shop.get(f"{PATH}/{number}")["failureReason"]["id"] == NOT_AUTHENTICATED
        assert work_rows(number) == []

    @pytest.mark.parametrize("obstacle", [silent, loses_the_answer])
    def test_the_issuer_is_not_heard_of(
        self, shop: Shop, network: Network, held_clock: HeldClock, obstacle: Any
    ) -> None:
        number, url = begun(shop, FRICTIONLESS)
        with network.when(DIRECTORY_PATH, obstacle):
            page = browser.get(opened(url))
        assert (page.status, f'content="{WAIT_SECONDS}"' in page.text) == (200, True)
        held_clock.advance(seconds=ASK_AFTER_SECONDS)
        settle_authentications()
        settle()
        assert (shop.state(number), liable(shop, number)) == ("FULFILL", False)
        assert asked(network) == 1

    def test_the_card_zone_does_not_answer(
        self, shop: Shop, network: Network, functions: FakeLambda, held_clock: HeldClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        number, url = begun(shop, FRICTIONLESS)
        page = browser.get(url)

        def breaks(**_: Any) -> Any:
            raise TimeoutError

        with monkeypatch.context() as patch:
            patch.setattr(functions, "invoke", breaks)
            waiting = browser.get(location(page.submit(**MEASURED)))
            assert waiting.status == 200
            held_clock.advance(seconds=ASK_AFTER_SECONDS)
            settle()
        assert shop.state(number) == "PROCESSING"
        back = url.replace("/authenticate/", "/authenticated/")
        assert location(browser.get(back)) == location(browser.get(back)).replace("/authenticated/", "/authenticate/")
        assert through(url) == DONE
        assert shop.state(number) == "FULFILL"


class TestOnce:
    def test_opened_at_once_in_several_windows(self, shop: Shop, network: Network) -> None:
        number, url = begun(shop, FRICTIONLESS)
        page = browser.get(url)
        together(lambda: page.submit(**MEASURED), 4)
        assert asked(network) == 1
        ends = together(lambda: browser.get(url.replace("/authenticate/", "/authenticated/")), 4)
        assert {each.status for each in ends} <= {200, 303}
        assert shop.state(number) == "FULFILL"
        assert [each["state"] for each in attempts(shop, number)] == ["SUCCESSFUL"]

    def test_the_buyer_and_the_clock_at_once(self, shop: Shop, network: Network, held_clock: HeldClock) -> None:
        number, url = begun(shop, FRICTIONLESS)
        target = opened(url)
        held_clock.advance(seconds=ASK_AFTER_SECONDS)
        together_each(lambda: browser.get(target), settle, lambda: browser.get(target), settle)
        assert shop.state(number) == "FULFILL"
        assert [each["state"] for each in attempts(shop, number)] == ["SUCCESSFUL"]

    def test_killed_at_whatever_call(self, shop: Shop, network: Network, held_clock: HeldClock) -> None:
        """The clock ends what nobody goes on with, and books and acquirer agree."""
        from payments.authentication_pages.handler import _transactions as transactions

        waiting, ends = [begun(shop, FRICTIONLESS, chargeRetryEnabled=False)[0]], set()
        for death in deaths(aws.dynamodb(), lambda: went_through(shop, waiting[-1])):
            number = waiting[-1]
            for step in (ASK_AFTER_SECONDS, 86_400):
                held_clock.advance(seconds=step)
                settle_authentications()
                for each in transactions.settling.due():
                    each()
            transaction = shop.stored(number)
            authorised = acquirer_says(shop, transaction, transaction.attributes["reference"]) == "approved"
            assert transaction.state in ("FULFILL", "FAILED"), death
            assert authorised == (transaction.state == "FULFILL"), death
            assert work_rows(number) == [], death
            ends.add(transaction.state)
            waiting.append(begun(shop, FRICTIONLESS, chargeRetryEnabled=False)[0])
        assert ends == {"FULFILL", "FAILED"}


def went_through(shop: Shop, number: int) -> None:
    """What the pages do."""
    from payments.authentication_pages.handler import _transactions as transactions

    acting, requestor = Acting(shop.merchant.tenant, shop.scope), Requestor("S1", "Shop", "https://shop.example", "CH")
    asked = {"return_url": "https://tollgate.test/back", "base_url": "https://tollgate.test"}
    transactions.authenticating.ask(acting, number, requestor, {}, **asked)
    transactions.authenticating.go_on(acting, number)


def together(act: Any, times: int) -> list[Any]:
    return together_each(*[act] * times)


def together_each(*acts: Any) -> list[Any]:
    barrier, answers = threading.Barrier(len(acts)), [None] * len(acts)

    def run(n: int) -> None:
        barrier.wait()
        answers[n] = acts[n]()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


class TestStrangers:
    def test_addresses_are_of_one_transaction(self, shop: Shop, network: Network) -> None:
        number, url = begun(shop, FRICTIONLESS)
        other, other_url = begun(shop, FRICTIONLESS)
        token = urlsplit(other_url).query
        for page in ("authenticate", "authenticated"):
            for bad in (
                f"{url.partition('?')[0]}?{token}",
                url.replace(str(shop.merchant.space_id), "17", 1),
                url[:-1] + ("0" if url[-1] != "0" else "1"),
                url.partition("?")[0],
            ):
                answer = browser.get(bad.replace("/authenticate/", f"/{page}/"))
                assert (answer.status, "cannot be shown" in answer.text) == (404, True)
        assert browser.post(f"{url.partition('?')[0]}?{token}", MEASURED).status == 404
        assert {shop.state(number), shop.state(other)} == {"PROCESSING"}
        assert network.sent == []
        json = browser.get(url.partition("?")[0], {"accept": "application/json"})
        assert json.response.json["code"] == "not_found"

    def test_addresses_end(self, shop: Shop, held_clock: HeldClock) -> None:
        _, url = begun(shop, FRICTIONLESS)
        held_clock.advance(hours=24, seconds=1)
        assert browser.get(url).status == 404

    @pytest.mark.parametrize("what", ["transaction", "amount"])
    def test_a_result_counts_for_what_it_was_asked_for(self, shop: Shop, network: Network, what: str) -> None:
        """Even if somebody could exchange the authentications of two payments."""
        number, url = begun(shop, FRICTIONLESS, chargeRetryEnabled=False)
        other, other_url = begun(shop, FRICTIONLESS, chargeRetryEnabled=False)
        opened(other_url)
        opened(url)
        if what == "transaction":
            change(shop, number, authentication=shop.stored(other).attributes["authentication"])
        else:
            change(shop, number, authorised=1_000_000)
        back = browser.get(url.replace("/authenticate/", "/authenticated/"))
        assert back.status in (200, 303)
        assert shop.state(number) != "FULFILL"
        assert acquirer_says(shop, shop.stored(number), shop.stored(number).attributes["reference"]) == "unknown"
        assert through_back(other_url) == DONE

    def test_a_challenge_of_another_payment_does_not_lead_here(self, shop: Shop, network: Network) -> None:
        _, url = begun(shop, CHALLENGE)
        _, other_url = begun(shop, CHALLENGE)
        target, other_target = opened(url), opened(other_url)
        answered = browser.get(other_target).submit(challenge_code="123456")
        notification = browser.get(target).submit(challenge_code="123456").action
        foreign = browser.post(notification, answered.fields)
        assert foreign.status == 404

    def test_the_account_hears_of_the_payment_and_not_of_its_parts(self, shop: Shop, network: Network) -> None:
        number, url = begun(shop, CHALLENGE)
        assert through(url) == DONE
        authentication = shop.stored(number).attributes["authentication"]
        outbox = items(aws.dynamodb(), DEPLOYMENT.tables["ThreedsTable"].name, "OUTBOX#")
        assert [row for row in outbox if row["subject"]["S"] == authentication] == []

    def test_nothing_secret_is_kept_or_shown(
        self, shop: Shop, network: Network, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        number, url = begun(shop, DEMANDING)
        page = browser.get(url)
        assert through(url) == DONE
        pages = aws.dynamodb().get_paginator("scan").paginate(TableName=table().name)
        stored = "".join(str(item) for each in pages for item in each["Items"])
        shown = capsys.readouterr()
        logged = shown.out + shown.err + caplog.text + "".join(str(each.__dict__) for each in caplog.records)
        value = authentication_value(shop, number)
        for text in (stored, logged, page.text):
            assert DEMANDING not in text
            assert value not in text
        policy = page.response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert page.response.headers["referrer-policy"] == "no-referrer"


def through_back(url: str) -> str:
    return location(browser.get(url.replace("/authenticate/", "/authenticated/")))


def change(shop: Shop, number: int, **attributes: Any) -> None:
    """Change what is kept of a transaction, as no operation does."""
    from payments.engine.repository import Objects, key, partition
    from payments.resources.transactions import TRANSACTION
    from tollgate.store.transaction import Transaction

    ((name, value),) = attributes.items()
    transaction = Transaction(aws.dynamodb())
    transaction.update(
        Objects(table()).table, partition(TRANSACTION, shop.scope), key(number), "SET #name = :value",
        names={"#name": name}, values={":value": value}, condition="attribute_exists(pk)",
    )  # fmt: skip
    transaction.commit()


def authentication_value(shop: Shop, number: int) -> str:
    """The proof, as the card zone has it."""
    from threeds.payers.worker import handler as payers

    transaction = shop.stored(number)
    reference = f"{shop.scope}/{number}/{transaction.attributes['attempt']}"
    asked = {"action": "read", "account_id": shop.merchant.tenant, "reference": reference}
    return str(payers({**asked, "id": transaction.attributes["authentication"]}, object())["value"])
