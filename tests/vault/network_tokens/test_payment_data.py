"""Payment data over HTTP: the answer of the reference, what its ciphertext holds, every refusal."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from tests.support.http import send
from tests.vault.network_tokens.conftest import SHOP, TABLE, Shop
from tollgate import luhn
from tollgate.errors import UpstreamTimeout
from vault.merchants.handler import handler as merchants_door
from vault.network_tokens import handler as door

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
SUSPENDED_LATER = "4000000000000119"


def key_of(encryption_key: str) -> OctKey:
    padded = encryption_key + "=" * (-len(encryption_key) % 4)
    return OctKey.import_key(json.loads(base64.urlsafe_b64decode(padded)))


def opened(shop: Shop, sealed: str) -> dict[str, Any]:
    found = jwe.decrypt_compact(sealed, key_of(shop.merchant["encryption_key"]), algorithms=["dir", "A256GCM"])
    return dict(json.loads(found.plaintext or b""))


class TestAnswer:
    def test_is_that_of_the_reference(self, shop: Shop) -> None:
        token_id = shop.active_token()
        answer = shop.pay(token_id)
        body = answer.json
        assert answer.status == 200
        assert list(body) == [
            "id", "amount", "currency_code", "encrypted_authentication_data", "merchant_id", "reference", "success",
            "token_id",
        ]  # fmt: skip
        assert UUID4.fullmatch(body.pop("id"))
        assert body.pop("encrypted_authentication_data").startswith("eyJhbGc")
        assert body == {
            "amount": 10000,
            "currency_code": "EUR",
            "merchant_id": shop.merchant["id"],
            "reference": "1234567890",
            "success": True,
            "token_id": token_id,
        }

    @pytest.mark.parametrize(
        ("number", "scheme", "eci"),
        [
            ("4242424242424242", "VISA", "07"),
            ("5555555555554444", "Mastercard", "06"),
            ("378282246310005", "American Express", "07"),
        ],
    )
    def test_holds_what_an_acquirer_needs(self, shop: Shop, number: str, scheme: str, eci: str) -> None:
        token_id = shop.active_token(account_number=number)
        data = opened(shop, shop.pay(token_id).json["encrypted_authentication_data"])
        network_token, cryptogram, par = data.pop("network_token"), data.pop("cryptogram"), data.pop("par")
        assert data == {
            "eci": eci,
            "expiration_month": 4,
            "expiration_year": 2033,
            "amount": 10000,
            "currency_code": "EUR",
            "reference": "1234567890",
            "merchant_id": shop.merchant["id"],
            "token_id": token_id,
            "scheme": scheme,
        }
        assert network_token != number
        assert (len(network_token), network_token[0]) == (len(number), number[0])
        assert luhn.passes(network_token)
        assert (len(cryptogram), len(base64.b64decode(cryptogram))) == (28, 20)
        assert re.fullmatch(r"[A-Z0-9]{29}", par)

    def test_has_a_cryptogram_of_its_own_every_time(self, shop: Shop) -> None:
        token_id = shop.active_token()
        found = [opened(shop, shop.pay(token_id).json["encrypted_authentication_data"]) for _ in range(20)]
        assert len({data["cryptogram"] for data in found}) == 20
        assert len({data["network_token"] for data in found}) == 1

    def test_says_which_tokens_share_a_card(self, shop: Shop) -> None:
        first, second = (
            opened(shop, shop.pay(shop.active_token()).json["encrypted_authentication_data"]) for _ in "12"
        )
        assert first["par"] == second["par"]
        assert first["network_token"] != second["network_token"]

    def test_opens_with_no_other_merchants_key(self, shop: Shop) -> None:
        second = shop.caller.at(merchants_door).send("POST", "/merchants", json_body=SHOP).json
        sealed = shop.pay(shop.active_token()).json["encrypted_authentication_data"]
        with pytest.raises(JoseError):
            jwe.decrypt_compact(sealed, key_of(second["encryption_key"]), algorithms=["dir", "A256GCM"])

    def test_takes_an_amount_of_nothing(self, shop: Shop) -> None:
        assert shop.pay(shop.active_token(), changes={"amount": 0}).json["success"] is True

    @pytest.mark.parametrize("number", ["4000000000000002", "4000000000009995", "6011111111111117"])
    def test_is_a_business_error_without_an_active_network_token(self, shop: Shop, number: str) -> None:
        token = shop.token(number)
        shop.run()
        answer = shop.pay(token["id"])
        assert answer.status == 200
        assert (answer.json["success"], answer.json["encrypted_authentication_data"]) == (False, None)

    def test_is_a_business_error_while_pending(self, shop: Shop) -> None:
        assert shop.pay(shop.token()["id"]).json["success"] is False

    def test_notes_that_the_network_token_has_ended(self, shop: Shop) -> None:
        token_id = shop.active_token(account_number=SUSPENDED_LATER)
        assert shop.pay(token_id).json["success"] is False
        assert shop.status(token_id) == "inactive"
        assert shop.events(token_id)[-1] == ("token.updated", "inactive")
        assert shop.pay(token_id).json["success"] is False
        assert len(shop.events(token_id)) == 3

    def test_is_recorded_without_the_cryptogram(self, shop: Shop) -> None:
        token_id = shop.active_token()
        made = shop.pay(token_id).json
        (row,) = TABLE.query(f"PAYMENT-DATA#{shop.account_id}#{token_id}")
        assert {name: row[name] for name in ("id", "amount", "reference", "success", "merchant_id")} == {
            name: made[name] for name in ("id", "amount", "reference", "success", "merchant_id")
        }
        assert "encrypted_authentication_data" not in row


class TestIdempotency:
    def test_replays_the_answer_byte_for_byte(self, shop: Shop) -> None:
        token_id = shop.active_token()
        first, second = (shop.pay(token_id, headers={"x-idempotency-key": "k"}) for _ in "12")
        assert (second.status, second.body) == (200, first.body)
        assert second.headers["x-idempotency-replayed"] == "true"
        assert len(TABLE.query(f"PAYMENT-DATA#{shop.account_id}#{token_id}")) == 1

    def test_refuses_the_key_with_another_body(self, shop: Shop) -> None:
        token_id = shop.active_token()
        shop.pay(token_id, headers={"x-idempotency-key": "k"})
        assert shop.pay(token_id, headers={"x-idempotency-key": "k"}, changes={"amount": 1}).status == 422

    def test_gives_many_at_once_one_answer(self, shop: Shop) -> None:
        token_id = shop.active_token()
        bodies: list[bytes] = []
        work = lambda: bodies.append(shop.pay(token_id, headers={"x-idempotency-key": "k"}).body)  # noqa: E731
        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(bodies) == 6
        assert len(set(bodies)) == 1


class TestRefusals:
    @pytest.mark.parametrize("headers", [{}, {"x-api-key": "x"}, {"authorization": "Bearer x"}])
    def test_401_without_a_key(self, headers: dict[str, str]) -> None:
        path = "/tokens/00000000-0000-4000-8000-000000000000/payment-data"
        assert send(door.handler, "POST", path, headers=headers, json_body={}).status == 401

    def test_404_for_a_token_that_is_not_there(self, shop: Shop, make_shop: Callable[..., Shop]) -> None:
        deleted, foreign = shop.active_token(), make_shop().token()["id"]
        shop.delete(deleted)
        for token_id in (deleted, foreign, "00000000-0000-4000-8000-000000000000", "x"):
            answer = shop.caller.send("POST", f"/tokens/{token_id}/payment-data", body="{")
            assert (answer.status, answer.json["classifier"]) == (404, "NOT_FOUND")

    def test_404_for_a_merchant_that_is_not_there(self, shop: Shop, make_shop: Callable[..., Shop]) -> None:
        token_id = shop.active_token()
        second = shop.caller.at(merchants_door).send("POST", "/merchants", json_body=SHOP).json["id"]
        assert shop.pay(token_id, changes={"merchant_id": second}).json["success"] is True
        assert shop.caller.at(merchants_door).send("DELETE", f"/merchants/{second}").status == 204
        for merchant_id in (second, make_shop().merchant["id"], "00000000-0000-4000-8000-000000000000"):
            assert shop.pay(token_id, changes={"merchant_id": merchant_id}).status == 404

    def test_404_when_the_token_is_deleted_meanwhile(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        token_id = shop.active_token()
        provider = door._service._provider
        cryptogram = provider.cryptogram

        def delete_first(request: Any) -> str:
            shop.delete_meanwhile(token_id)
            return cryptogram(request)

        monkeypatch.setattr(provider, "cryptogram", delete_first)
        answer = shop.pay(token_id, headers={"x-idempotency-key": "k"})
        assert answer.status == 404
        assert TABLE.query(f"PAYMENT-DATA#{shop.account_id}#{token_id}") == []

    @pytest.mark.parametrize(
        ("changes", "path"),
        [
            ({"amount": -1}, "$.amount"),
            ({"amount": "100"}, "$.amount"),
            ({"amount": 1.5}, "$.amount"),
            ({"amount": True}, "$.amount"),
            ({"amount": 2**53}, "$.amount"),
            ({"amount": None}, "$.amount"),
            ({"currency_code": "eur"}, "$.currency_code"),
            ({"currency_code": "XXX"}, "$.currency_code"),
            ({"currency_code": None}, "$.currency_code"),
            ({"merchant_id": "x"}, "$.merchant_id"),
            ({"merchant_id": None}, "$.merchant_id"),
            ({"reference": ""}, "$.reference"),
            ({"reference": " "}, "$.reference"),
            ({"reference": "x" * 256}, "$.reference"),
            ({"reference": 1}, "$.reference"),
        ],
    )
    def test_422_with_the_path(self, shop: Shop, changes: dict[str, Any], path: str) -> None:
        answer = shop.pay(shop.token()["id"], changes=changes)
        assert (answer.status, answer.paths()) == (422, [path])

    def test_405_for_other_methods(self, shop: Shop) -> None:
        assert shop.caller.send("GET", f"/tokens/{shop.token()['id']}/payment-data").status == 405

    def test_504_when_the_provider_is_silent_and_nothing_is_kept(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token_id = shop.active_token()

        def silent(_: object) -> str:
            raise UpstreamTimeout

        with monkeypatch.context() as down:
            down.setattr(door._service._provider, "cryptogram", silent)
            assert shop.pay(token_id, headers={"x-idempotency-key": "k"}).status == 504
        assert shop.pay(token_id, headers={"x-idempotency-key": "k"}).json["success"] is True
