"""The cardholder's challenge from the link to the result, as the standard's messages and as pages; used wrongly too."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.http import send
from tests.support.session import HeldClock
from tests.threeds import browser, conftest
from tests.threeds.conftest import Shop
from tests.threeds.network import Network, answers, loses_the_answer, unreachable, with_changes
from threeds import emv
from threeds.acs_simulator.worker import handler as acs_schedule
from threeds.addresses import DIRECTORY_PATH, RESULTS_PATH
from threeds.authentications.handler import handler
from threeds.authentications.worker import handler as timeouts

RIGHT, WRONG = "123456", "000000"
JSON = {"host": "tollgate.test", "accept": "*/*"}


@pytest.fixture
def made(shop: Shop) -> dict[str, Any]:
    """An authentication whose cardholder is asked."""
    return shop.pay(conftest.CHALLENGE)


def link(made: dict[str, Any]) -> str:
    return str(made["action_requirement"]["target_url"])


def own_page(made: dict[str, Any]) -> str:
    return f"https://tollgate.test/authentications/challenges/{made['action_requirement']['session_id']}"


def creq_of(url: str) -> dict[str, Any]:
    return emv.from_base64url(parse_qs(urlsplit(url).query)["creq"][0], "CReq")


class TestPassing:
    def test_goes_from_the_link_over_the_form_to_the_result_page(self, shop: Shop, made: dict[str, Any]) -> None:
        form = browser.get(link(made))
        assert form.status == 200
        assert "challenge_code" in form.names
        sent_on = form.submit(challenge_code=RIGHT)
        done = shop.read(made)
        assert (done["status"], done["action_requirement"]) == ("COMPLETED", None)
        back = sent_on.submit()
        assert (back.status, back.url) == (200, own_page(made))
        assert "You are authenticated" in back.text
        data = done["authentication_result"]["cardholder_data"]
        assert (data["transaction_status"], data["eci"], data["challenged"]) == ("Y", "05", True)
        assert len(base64.b64decode(data["authentication_value"])) == 20

    def test_the_link_alone_takes_the_code(self, shop: Shop, made: dict[str, Any]) -> None:
        assert browser.post(link(made), {"challenge_code": RIGHT}).status == 200
        assert shop.read(made)["status"] == "COMPLETED"

    def test_an_issuer_without_links_gets_the_creq_posted(self, shop: Shop, network: Network) -> None:
        with network.when(DIRECTORY_PATH, with_changes(messageExtension=None)):
            made = shop.pay(conftest.CHALLENGE)
        assert link(made) == own_page(made)
        hand_over = browser.get(link(made))
        assert hand_over.action == "https://tollgate.test/sandbox/3ds/acs/challenge"
        assert emv.from_base64url(hand_over.fields["creq"], "CReq")["acsTransID"]
        form = hand_over.submit()
        assert "challenge_code" in form.names
        form.submit(challenge_code=RIGHT).submit()
        assert shop.read(made)["status"] == "COMPLETED"

    def test_two_wrong_codes_are_forgiven(self, shop: Shop, made: dict[str, Any]) -> None:
        page = browser.get(link(made))
        for left in ("2 tries", "one try"):
            page = page.submit(challenge_code=WRONG)
            assert (page.status, left in page.text) == (200, True)
            assert shop.read(made)["status"] == "PROCESSING"
        page.submit(challenge_code=f" {RIGHT} ")
        assert shop.read(made)["status"] == "COMPLETED"

    def test_speaks_the_standards_messages(self, shop: Shop, made: dict[str, Any], network: Network) -> None:
        browser.post(link(made), {"challenge_code": RIGHT})
        creq = creq_of(link(made))
        assert set(creq) == {
            "messageType", "messageVersion", "threeDSServerTransID", "acsTransID", "challengeWindowSize",
        }  # fmt: skip
        to_directory, to_server = (each for each in network.sent if each.message["messageType"] == "RReq")
        assert (to_directory.path, to_server.path) == (DIRECTORY_PATH, RESULTS_PATH)
        assert to_directory.message == to_server.message
        message = to_server.message
        assert message["threeDSServerTransID"] == creq["threeDSServerTransID"]
        assert (message["acsTransID"], message["transStatus"], message["eci"]) == (creq["acsTransID"], "Y", "05")


class TestFailing:
    def test_the_third_wrong_code_ends_it(self, shop: Shop, made: dict[str, Any]) -> None:
        page = browser.get(link(made))
        for _ in range(3):
            page = page.submit(challenge_code=WRONG)
        assert "You were not authenticated" in page.submit().text
        done = shop.read(made)
        (detail,) = done["failure_details"]
        assert (done["status"], detail["reason"], detail["source"]) == ("FAILED", "authentication_failed", "issuer")
        assert browser.post(link(made), {"challenge_code": RIGHT}).status == 409
        assert shop.read(made) == done

    def test_cancelling_ends_it(self, shop: Shop, made: dict[str, Any]) -> None:
        form = browser.get(link(made))
        assert "cancel" in form.names
        form.submit(cancel="1", challenge_code="")
        (detail,) = shop.read(made)["failure_details"]
        assert (detail["reason"], detail["source"]) == ("challenge_abandoned", "cardholder")

    def test_a_card_nobody_can_complete_stays_open(self, shop: Shop) -> None:
        made = shop.pay(conftest.SILENT)
        page = browser.post(link(made), {"challenge_code": RIGHT})
        assert (page.status, "still checking" in page.text) == (200, True)
        assert shop.read(made)["status"] == "PROCESSING"

    def test_wrong_codes_at_once_are_counted_one_by_one(self, shop: Shop, made: dict[str, Any]) -> None:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(8) as pool:
            pages = list(pool.map(lambda _: browser.post(link(made), {"challenge_code": WRONG}), range(8)))
        assert {page.status for page in pages} <= {200, 409}
        assert shop.read(made)["failure_details"][0]["reason"] == "authentication_failed"


class TestMisuse:
    def test_a_challenge_is_used_once(self, shop: Shop, made: dict[str, Any]) -> None:
        browser.post(link(made), {"challenge_code": RIGHT})
        done = shop.read(made)
        for again in (browser.get(link(made)), browser.post(link(made), {"cancel": "1"}), browser.get(own_page(made))):
            assert again.status == 409
            assert "The challenge has ended" in again.text
        assert shop.read(made) == done

    def test_it_does_not_open_late(self, shop: Shop, made: dict[str, Any], held_clock: HeldClock) -> None:
        held_clock.advance(seconds=601)
        assert browser.post(link(made), {"challenge_code": RIGHT}).status == 409
        timeouts({}, object())
        assert browser.get(own_page(made)).status == 409
        assert shop.read(made)["failure_details"][0]["reason"] == "challenge_timeout"

    def test_a_stranger_finds_nothing(self, shop: Shop, made: dict[str, Any]) -> None:
        other = shop.pay(conftest.CHALLENGE)
        mixed = {**creq_of(link(made)), "acsTransID": creq_of(link(other))["acsTransID"]}
        for creq in ("", "x", "%%%", "e30", emv.to_base64url(mixed), emv.to_base64url({**mixed, "acsTransID": "1"})):
            page = browser.post(
                "https://tollgate.test/sandbox/3ds/acs/challenge", {"creq": creq, "challenge_code": RIGHT}
            )
            assert page.status == 404
        for session in ("1", "00000000-0000-4000-8000-000000000000", "%00", "x" * 3000):
            assert browser.get(f"https://tollgate.test/authentications/challenges/{session}").status == 404
        assert {shop.read(made)["status"], shop.read(other)["status"]} == {"PROCESSING"}

    def test_errors_are_pages_for_browsers_and_the_familys_body_for_others(self, made: dict[str, Any]) -> None:
        url = "https://tollgate.test/authentications/challenges/00000000-0000-4000-8000-000000000000"
        page, body = browser.get(url), browser.get(url, JSON).response
        assert page.response.headers["content-type"].startswith("text/html")
        assert "The challenge was not found" in page.text
        assert (body.status, body.json["classifier"]) == (404, "NOT_FOUND")
        assert "content-security-policy" in page.response.headers

    @pytest.mark.parametrize(
        ("content_type", "body", "status"),
        [
            ("application/json", "{}", 422),
            ("application/x-www-form-urlencoded", "cres=a&cres=b", 422),
            ("application/x-www-form-urlencoded", "&".join(f"f{n}=1" for n in range(50)), 422),
            ("application/x-www-form-urlencoded", b"cres=\xff", 422),
            ("application/x-www-form-urlencoded", "", 422),
            ("application/x-www-form-urlencoded", "cres=e30", 404),
        ],
    )
    def test_what_a_browser_brings_back_is_checked(
        self, made: dict[str, Any], content_type: str, body: str | bytes, status: int
    ) -> None:
        sent = {**JSON, "content-type": content_type}
        answer = send(handler, "POST", urlsplit(own_page(made)).path, headers=sent, body=body)
        assert answer.status == status
        assert answer.json["status"] == status

    def test_a_browser_decides_nothing(self, shop: Shop, made: dict[str, Any]) -> None:
        cres = {
            "messageType": "CRes",
            "messageVersion": "2.2.0",
            "threeDSServerTransID": creq_of(link(made))["threeDSServerTransID"],
            "acsTransID": creq_of(link(made))["acsTransID"],
            "transStatus": "Y",
        }
        page = browser.post(own_page(made), {"cres": emv.to_base64url(cres)})
        assert "still checking" in page.text
        assert shop.read(made)["status"] == "PROCESSING"
        other = shop.pay(conftest.CHALLENGE)
        assert browser.post(own_page(other), {"cres": emv.to_base64url(cres)}).status == 404

    def test_a_token_deleted_meanwhile_does_not_stop_the_cardholder(self, shop: Shop, made: dict[str, Any]) -> None:
        shop.delete_token(made["token_id"])
        browser.post(link(made), {"challenge_code": RIGHT})
        done = shop.read(made)
        assert (done["status"], done["authentication_result"]["encrypted_token_data"]) == ("COMPLETED", None)


class TestReports:
    """The issuer's result on its way to us."""

    @pytest.mark.parametrize("path", [DIRECTORY_PATH, RESULTS_PATH])
    @pytest.mark.parametrize("obstacle", [unreachable, answers(503)], ids=["unreachable", "failing"])
    def test_is_repeated_until_it_arrives(
        self, shop: Shop, made: dict[str, Any], network: Network, path: str, obstacle: Any, held_clock: HeldClock
    ) -> None:
        with network.when(path, obstacle):
            page = browser.post(link(made), {"challenge_code": RIGHT})
            assert "still checking" in page.submit().text
            acs_schedule({}, object())
        assert shop.read(made)["status"] == "PROCESSING"
        acs_schedule({}, object())
        assert shop.read(made)["status"] == "COMPLETED"

    @pytest.mark.parametrize("path", [DIRECTORY_PATH, RESULTS_PATH])
    def test_twice_has_the_effect_of_one(
        self, shop: Shop, made: dict[str, Any], network: Network, path: str, held_clock: HeldClock
    ) -> None:
        with network.when(path, loses_the_answer):
            browser.post(link(made), {"challenge_code": RIGHT})
        done = shop.read(made)
        assert done["status"] == "COMPLETED"
        held_clock.advance(seconds=5)
        acs_schedule({}, object())
        assert self.reports_of(made, network) == 2
        assert shop.read(made) == done

    def test_is_given_up_after_a_day(
        self, shop: Shop, made: dict[str, Any], network: Network, held_clock: HeldClock
    ) -> None:
        with network.when(RESULTS_PATH, unreachable):
            browser.post(link(made), {"challenge_code": RIGHT})
            held_clock.advance(days=1, seconds=1)
            tried = [self.reports_of(made, network)]
            for _ in range(2):
                acs_schedule({}, object())
                tried.append(self.reports_of(made, network))
        assert tried == [1, 2, 2]

    def reports_of(self, made: dict[str, Any], network: Network) -> int:
        mine = creq_of(link(made))["acsTransID"]
        return len([each for each in network.sent if each.path == RESULTS_PATH and each.message["acsTransID"] == mine])

    @pytest.fixture
    def report(self, made: dict[str, Any], network: Network) -> Callable[..., dict[str, Any]]:
        """Sends the RReq of `made`, with changes, as the directory server would."""
        (ares,) = [each for each in (network.sent[0].message,) if each["messageType"] == "AReq"]
        creq = creq_of(link(made))
        acs = {"dsTransID": network.messages("AReq")[1]["dsTransID"], "acsTransID": creq["acsTransID"]}
        right = {
            "messageType": "RReq",
            "messageVersion": "2.2.0",
            "messageCategory": "01",
            "threeDSServerTransID": ares["threeDSServerTransID"],
            **acs,
            "transStatus": "Y",
            "authenticationValue": base64.b64encode(bytes(20)).decode(),
        }

        def send_it(**changes: Any) -> dict[str, Any]:
            message = {name: value for name, value in {**right, **changes}.items() if value is not None}
            answer = send(handler, "POST", RESULTS_PATH, json_body=message)
            assert answer.status == 200
            return dict(answer.json)

        return send_it

    def test_settles_it(self, shop: Shop, made: dict[str, Any], report: Callable[..., dict[str, Any]]) -> None:
        answer = report()
        assert (answer["messageType"], answer["resultsStatus"]) == ("RRes", "01")
        data = shop.read(made)["authentication_result"]["cardholder_data"]
        assert (data["eci"], data["authentication_value"]) == ("05", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")

    @pytest.mark.parametrize("name", ["threeDSServerTransID", "dsTransID", "acsTransID"])
    def test_of_a_stranger_changes_nothing(
        self, shop: Shop, made: dict[str, Any], report: Callable[..., dict[str, Any]], name: str
    ) -> None:
        answer = report(**{name: "00000000-0000-4000-8000-000000000000"})
        assert (answer["messageType"], answer["errorCode"], answer["errorComponent"]) == ("Erro", "301", "S")
        assert shop.read(made) == made

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"transStatus": None}, "201"),
            ({"transStatus": "X"}, "203"),
            ({"authenticationValue": "AAAA"}, "203"),
            ({"messageVersion": "1.0.2"}, "102"),
            ({"messageType": "AReq"}, "101"),
            ({"messageExtension": [{"id": "x", "name": "x", "criticalityIndicator": True, "data": {}}]}, "202"),
        ],
    )
    def test_that_breaks_the_standard_is_refused(
        self, shop: Shop, made: dict[str, Any], report: Callable[..., dict[str, Any]], changes: Any, code: str
    ) -> None:
        answer = report(**changes)
        assert (answer["messageType"], answer["errorCode"]) == ("Erro", code)
        assert shop.read(made) == made

    @pytest.mark.parametrize("body", ["", "[]", "{", "null", '{"messageType":1}', b"\xff"])
    def test_that_is_none_is_refused(self, body: str | bytes) -> None:
        answer = send(handler, "POST", RESULTS_PATH, body=body)
        assert (answer.status, answer.json["errorCode"]) == (200, "101")

    def test_with_another_result_comes_too_late(
        self, shop: Shop, made: dict[str, Any], report: Callable[..., dict[str, Any]]
    ) -> None:
        report()
        done = shop.read(made)
        assert report(transStatus="N", authenticationValue=None)["errorCode"] == "305"
        assert report(authenticationValue=base64.b64encode(bytes(19) + b"x").decode())["errorCode"] == "305"
        assert report()["resultsStatus"] == "01"
        assert shop.read(made) == done

    def test_after_the_time_out_comes_too_late(
        self, shop: Shop, made: dict[str, Any], report: Callable[..., dict[str, Any]], held_clock: HeldClock
    ) -> None:
        held_clock.advance(seconds=601)
        timeouts({}, object())
        assert report()["errorCode"] == "402"
        assert shop.read(made)["status"] == "FAILED"


class TestPages:
    @pytest.fixture
    def pages(self, shop: Shop, made: dict[str, Any], network: Network) -> list[browser.Page]:
        with network.when(DIRECTORY_PATH, with_changes(messageExtension=None)):
            posted = shop.pay(conftest.CHALLENGE)
        form = browser.get(link(made))
        wrong = form.submit(challenge_code=WRONG)
        sent_on = wrong.submit(challenge_code=RIGHT)
        return [form, wrong, sent_on, sent_on.submit(), browser.get(link(posted)), browser.get(link(made))]

    def test_have_a_policy_that_fits_them(self, pages: list[browser.Page]) -> None:
        for page in pages:
            policy = dict(part.split(" ", 1) for part in page.response.headers["content-security-policy"].split("; "))
            assert policy["default-src"] == policy["base-uri"] == "'none'"
            (style,) = re.findall(r"<style>(.*?)</style>", page.text)
            assert policy["style-src"] == _digest(style)
            assert policy.get("script-src") == (_digest(page.scripts[0]) if page.scripts else None)
            to = urlsplit(page.action)
            expected = f"{to.scheme}://{to.netloc}" if "<form" in page.text else "'none'"
            assert policy["form-action"] == expected
            assert page.response.headers["referrer-policy"] == "no-referrer"
            assert page.response.headers["cache-control"] == "no-store"

    def test_are_for_everybody(self, pages: list[browser.Page]) -> None:
        for page in pages:
            assert '<html lang="en">' in page.text
            assert 'name="viewport" content="width=device-width' in page.text
            assert len(re.findall("<h1>", page.text)) == 1
            assert set(page.labels) <= page.ids
            assert set(page.described_by) <= page.ids
            assert "challenge_code" not in page.names or page.labels == ["challenge_code"]
        assert 'role="alert"' in pages[1].text

    def test_escape_what_is_shown(self, shop: Shop) -> None:
        name = "<b>\"&'x"
        schemes = [{**each, "merchant_name": name} for each in conftest.MERCHANT["schemes"]]
        merchant_id = shop.merchant(schemes=schemes)["id"]
        page = browser.get(link(shop.pay(conftest.CHALLENGE, merchant_id=merchant_id)))
        assert "<b>" not in page.text
        assert "&lt;b&gt;&quot;&amp;&#x27;x" in page.text

    @pytest.mark.parametrize(
        ("amount", "currency", "shown"),
        [(4200, "EUR", "42.00 EUR"), (100, "JPY", "100 JPY"), (5, "KWD", "0.005 KWD"), (0, "EUR", "0.00 EUR")],
    )
    def test_show_the_amount_as_it_is(self, shop: Shop, amount: int, currency: str, shown: str) -> None:
        made = shop.pay(conftest.CHALLENGE, amount=amount, currency_code=currency)
        assert f"<dd>{shown}</dd>" in browser.get(link(made)).text


def _digest(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
