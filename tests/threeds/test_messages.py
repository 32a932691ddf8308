"""The messages of EMV 3-D Secure: what our server sends, and what every component takes and refuses."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime
from typing import Any, ClassVar

import iso3166
import iso4217
import pytest

from tests.support.http import send
from tests.support.session import HeldClock
from tests.threeds import browser, conftest
from tests.threeds.conftest import Shop
from tests.threeds.network import Network, unreachable
from threeds import dates, emv, numeric_codes, schemes
from threeds.addresses import ACS_PATH, DIRECTORY_PATH
from tollgate import countries, currencies


def first_request(network: Network) -> dict[str, Any]:
    return network.messages("AReq")[0]


class TestAuthenticationRequest:
    def test_of_a_browser_has_what_the_standard_wants(
        self, shop: Shop, network: Network, held_clock: HeldClock
    ) -> None:
        made = shop.pay(conftest.FRICTIONLESS, purchase_date="20240229235959")
        request = first_request(network)
        session = made["authentication_result"]["cardholder_data"]["three_ds_server_transaction_id"]
        assert request == {
            "messageType": "AReq",
            "messageVersion": "2.2.0",
            "messageCategory": "01",
            "deviceChannel": "02",
            "threeDSServerTransID": session,
            "threeDSServerRefNumber": "TOLLGATE-3DS-SERVER",
            "threeDSServerURL": "https://tollgate.test/authentications/results",
            "threeDSRequestorID": "requestor.visa",
            "threeDSRequestorName": "Blumen",
            "threeDSRequestorURL": "https://blumen.example",
            "threeDSRequestorAuthenticationInd": "01",
            "threeDSRequestorChallengeInd": "03",
            "threeDSRequestorDecReqInd": "Y",
            "threeDSRequestorDecMaxTime": "01440",
            "threeDSCompInd": "U",
            "acctNumber": "4242424242424242",
            "cardExpiryDate": "3304",
            "cardholderName": "Jo Doe",
            "acquirerBIN": "400012",
            "acquirerMerchantID": "M-1",
            "merchantName": "Blumen Shop",
            "merchantCountryCode": "276",
            "mcc": "5992",
            "purchaseAmount": "4200",
            "purchaseCurrency": "978",
            "purchaseExponent": "2",
            "purchaseDate": "20240229235959",
            "notificationURL": f"https://tollgate.test/authentications/challenges/{session}",
            "browserAcceptHeader": "text/html",
            "browserJavascriptEnabled": False,
            "browserLanguage": "en",
            "browserUserAgent": "unknown",
        }

    @pytest.mark.parametrize(
        ("preference", "indicator"),
        [
            (None, "03"),
            ("NO_PREFERENCE", "01"),
            ("NO_CHALLENGE", "02"),
            ("CHALLENGE", "03"),
            ("CHALLENGE_MANDATED", "04"),
        ],
    )
    def test_says_what_is_preferred(self, shop: Shop, network: Network, preference: str | None, indicator: str) -> None:
        shop.pay(conftest.FRICTIONLESS, challenge_preference=preference)
        assert first_request(network)["threeDSRequestorChallengeInd"] == indicator

    @pytest.mark.parametrize(
        ("kind", "indicator", "instalments"), [("recurring", "02", None), ("installment", "03", "3")]
    )
    def test_of_a_series_has_its_terms(
        self, shop: Shop, network: Network, kind: str, indicator: str, instalments: str | None
    ) -> None:
        shop.begin(kind)
        request = first_request(network)
        assert request["threeDSRequestorAuthenticationInd"] == indicator
        assert (request["recurringExpiry"], request["recurringFrequency"]) == ("20991231", "28")
        assert request.get("purchaseInstalData") == instalments

    @pytest.mark.parametrize(
        ("first", "expected"),
        [
            ((conftest.FRICTIONLESS, "recurring"), ("01", "01")),
            ((conftest.FRICTIONLESS, "installment"), ("02", "01")),
            ((conftest.CHALLENGE, "recurring"), ("01", "02")),
        ],
    )
    def test_without_the_cardholder_refers_to_the_first(
        self,
        shop: Shop,
        network: Network,
        held_clock: HeldClock,
        first: tuple[str, str],
        expected: tuple[str, str],
    ) -> None:
        account_number, kind = first
        indicator, method = expected
        original = shop.begin(kind, account_number)
        if original["action_requirement"]:
            browser.post(original["action_requirement"]["target_url"], {"challenge_code": "123456"})
            original = shop.read(original)
        held_clock.advance(days=28)
        network.sent.clear()
        shop.follow(original)
        request = first_request(network)
        assert (request["deviceChannel"], request["threeRIInd"]) == ("03", indicator)
        assert not [name for name in request if name.startswith("browser") or name == "notificationURL"]
        finished = datetime.fromisoformat(original["finished_at"])
        assert request["threeDSRequestorPriorAuthenticationInfo"] == {
            "threeDSReqPriorRef": original["authentication_result"]["cardholder_data"]["acs_transaction_id"],
            "threeDSReqPriorAuthMethod": method,
            "threeDSReqPriorAuthTimestamp": finished.strftime("%Y%m%d%H%M"),
        }

    @pytest.mark.parametrize(
        ("amount", "currency", "number", "exponent"),
        [(100, "JPY", "392", "0"), (1234, "KWD", "414", "3"), (1, "UYW", "927", "4"), (0, "USD", "840", "2")],
    )
    def test_states_the_amount_by_the_currency(
        self, shop: Shop, network: Network, amount: int, currency: str, number: str, exponent: str
    ) -> None:
        shop.pay(conftest.FRICTIONLESS, amount=amount, currency_code=currency)
        request = first_request(network)
        stated = (request["purchaseAmount"], request["purchaseCurrency"], request["purchaseExponent"])
        assert stated == (str(amount), number, exponent)

    def test_leaves_out_what_nobody_gave_and_what_does_not_fit(self, shop: Shop, network: Network) -> None:
        merchant = shop.merchant(legal_name="Ü" * 60, schemes=[{"name": "visa"}], default_merchant_id="x" * 50)
        body = {**conftest.PAYMENT, "merchant_id": merchant["id"]}
        for name in (None, "J", "Jürgen", "J" * 46):
            token_id = shop.token(conftest.FRICTIONLESS, cardholder_name=name)
            assert shop.ask(**body, token_id=token_id).json["status"] == "COMPLETED"
        for request in network.messages("AReq"):
            absent = {"cardholderName", "acquirerBIN", "acquirerMerchantID", "mcc"}
            assert not absent & set(request)
            short_id = merchant["id"].replace("-", "")
            assert request["threeDSRequestorID"] == request["merchantName"] == short_id

    def test_the_directory_server_adds_its_own_and_passes_it_on(self, shop: Shop, network: Network) -> None:
        shop.pay(conftest.FRICTIONLESS)
        ours, passed_on = network.messages("AReq")
        added = {name: value for name, value in passed_on.items() if name not in ours}
        assert set(added) == {"dsTransID", "dsReferenceNumber", "dsURL"}
        assert {**ours, **added} == passed_on


class TestSimulators:
    """Both hold what they are given to the standard, so our messages are checked by another reader too."""

    @pytest.fixture
    def request_(self, shop: Shop, network: Network) -> dict[str, Any]:
        shop.pay(conftest.FRICTIONLESS)
        return network.messages("AReq")[1]

    @pytest.mark.parametrize("path", [DIRECTORY_PATH, ACS_PATH])
    @pytest.mark.parametrize(
        ("changes", "code", "detail"),
        [
            ({"acctNumber": None}, "201", "acctNumber"),
            ({"purchaseAmount": None, "merchantName": ""}, "201", "merchantName,purchaseAmount"),
            ({"notificationURL": None}, "201", "notificationURL"),
            ({"deviceChannel": "03"}, "201", "threeRIInd"),
            (
                {"threeDSRequestorAuthenticationInd": "03"},
                "201",
                "recurringExpiry,recurringFrequency,purchaseInstalData",
            ),
            ({"purchaseExponent": 2}, "203", "purchaseExponent"),
            ({"purchaseDate": "2024"}, "203", "purchaseDate"),
            ({"mcc": "59922"}, "203", "mcc"),
            ({"messageVersion": "1.0.0"}, "102", "messageVersion"),
            ({"messageType": "CReq"}, "101", "messageType"),
        ],
    )
    def test_refuse_what_breaks_the_standard(
        self, request_: dict[str, Any], path: str, changes: dict[str, Any], code: str, detail: str
    ) -> None:
        message = {name: value for name, value in {**request_, **changes}.items() if value is not None}
        answer = send(browser.handler_of("POST", path), "POST", path, json_body=message)
        assert (answer.status, answer.json["messageType"], answer.json["errorCode"]) == (200, "Erro", code)
        assert answer.json["errorDetail"] == detail
        assert answer.json["errorComponent"] == ("D" if path == DIRECTORY_PATH else "A")
        assert request_["acctNumber"] not in answer.body.decode()

    def test_a_result_of_no_transaction_goes_nowhere(self, shop: Shop, network: Network) -> None:
        shop.pay(conftest.FRICTIONLESS)
        network.sent.clear()
        nobody = "00000000-0000-4000-8000-000000000000"
        message = {
            "messageType": "RReq", "messageVersion": "2.2.0", "messageCategory": "01", "transStatus": "Y",
            "threeDSServerTransID": nobody, "dsTransID": nobody, "acsTransID": nobody,
        }  # fmt: skip
        answer = send(browser.handler_of("POST", DIRECTORY_PATH), "POST", DIRECTORY_PATH, json_body=message)
        assert answer.json["errorCode"] == "301"
        assert network.sent == []

    def test_an_issuer_that_cannot_be_reached_is_said_so(self, shop: Shop, network: Network) -> None:
        with network.when(ACS_PATH, unreachable):
            made = shop.pay(conftest.FRICTIONLESS)
        assert made["failure_details"][0]["reason"] == "directory_server_error"

    def test_without_leave_a_decoupled_card_is_not_decoupled(self, request_: dict[str, Any]) -> None:
        message = {**request_, "acctNumber": conftest.DECOUPLED, "threeDSRequestorDecReqInd": "N"}
        answer = send(browser.handler_of("POST", ACS_PATH), "POST", ACS_PATH, json_body=message)
        assert answer.json["transStatus"] == "U"


class TestReading:
    GOOD: ClassVar = {
        "messageType": "CRes",
        "messageVersion": "2.2.0",
        "threeDSServerTransID": "6f0c4b5e-2f7a-4a43-8a9b-0c8f3f3e0b02",
        "acsTransID": "8a1b0d0c-7d5f-4b9c-9f55-5f4f7d1c0c03",
        "transStatus": "Y",
    }

    def test_base64url_with_and_without_padding(self) -> None:
        for size in range(4):
            message = {**self.GOOD, "x": "x" * size}
            text = emv.to_base64url(message)
            assert "=" not in text
            padded = base64.urlsafe_b64encode(emv.encode(message)).decode()
            assert emv.from_base64url(text, "CRes") == emv.from_base64url(padded, "CRes") == message

    @pytest.mark.parametrize("text", ["", "ü", "a b", "e30", "%", "x" * 100_000, "eyJ"])
    def test_what_is_no_message(self, text: str) -> None:
        with pytest.raises(emv.ProtocolFault) as caught:
            emv.from_base64url(text, "CRes")
        assert caught.value.code == "101"

    def test_a_message_over_the_limit(self) -> None:
        with pytest.raises(emv.ProtocolFault):
            emv.read(json.dumps({**self.GOOD, "x": "x" * emv.MAX_MESSAGE_BYTES}).encode(), "CRes")

    def test_an_error_message_in_the_place_of_an_answer(self) -> None:
        told = emv.error_message(emv.ProtocolFault("305", "mcc"), "D", {**self.GOOD, "dsTransID": "<script>"})
        assert (told["errorDetail"], "dsTransID" in told) == ("mcc", False)
        with pytest.raises(emv.ProtocolFault) as caught:
            emv.read(emv.encode(told), "ARes")
        assert caught.value.code == "305"


class TestData:
    def test_numbers_are_those_of_the_standards(self) -> None:
        numbers = {each.code: f"{int(each.number):03d}" for each in iso4217.Currency}
        assert {code: numeric_codes.currency_number(code) for code in currencies.EXPONENTS} == {
            code: numbers[code] for code in currencies.EXPONENTS
        }
        assert {code: numeric_codes.country_number(code) for code in countries.ALPHA2} == {
            each.alpha2: each.numeric for each in iso3166.countries if each.alpha2 in countries.ALPHA2
        }
        assert [numeric_codes.currency_code(number) for number in ("978", "392", "000")] == ["EUR", "JPY", None]

    @pytest.mark.parametrize(
        ("scheme", "expected"),
        [
            *[(name, ["05", "06", "07", "07", "07", "07"]) for name in schemes.MERCHANT_NAMES if name != "Mastercard"],
            ("Mastercard", ["02", "01", "00", "00", "00", "06"]),
        ],
    )
    def test_indicators(self, scheme: str, expected: list[str]) -> None:
        assert [schemes.indicator(scheme, status) for status in "YANURI"] == expected

    def test_indicators_without_the_cardholder(self) -> None:
        assert schemes.indicator("Mastercard", "Y", requestor_initiated=True) == "07"
        assert schemes.indicator("VISA", "Y", requestor_initiated=True) == "05"

    @pytest.mark.parametrize("text", ["20230229000000", "20231301000000", "20230101240000", "0" * 14, "²0230101000000"])
    def test_moments_that_are_none(self, text: str) -> None:
        assert dates.read_moment(text) is None
        assert dates.read_day(text) is None

    def test_moments_there_and_back(self) -> None:
        moment = dates.read_moment("20240229235959")
        assert moment is not None
        assert dates.write_moment(moment) == "20240229235959"
        assert dates.write_day(moment) == "20240229"

    def test_every_message_fits_its_own_formats(self, shop: Shop, network: Network) -> None:
        made = shop.pay(conftest.CHALLENGE)
        browser.post(made["action_requirement"]["target_url"], {"challenge_code": "123456"})
        for each in network.sent:
            emv.check(each.message)
        assert {each.message["messageType"] for each in network.sent} == {"AReq", "RReq"}
        assert all(re.fullmatch(r"[\w-]+", str(each.message["threeDSServerTransID"])) for each in network.sent)
