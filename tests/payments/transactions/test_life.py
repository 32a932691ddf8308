"""The life of a transaction through the door: created, confirmed, paid, completed, voided."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.payments.shops import PAN, SHIPPING, SHIRT, Shop, card, table
from tollgate import events


class TestDrafts:
    def test_begins_pending_with_version_two(self, shop: Shop) -> None:
        made = shop.create(merchantReference="order-1", customerId="c-1", metaData={"a": "b"})
        assert (made["state"], made["version"], made["autoConfirmationEnabled"]) == ("PENDING", 2, True)
        assert (made["chargeRetryEnabled"], made["emailsDisabled"], made["language"]) == (True, False, "en-US")
        assert (made["authorizationAmount"], made["completedAmount"], made["refundedAmount"]) == (100, 0, 0)
        assert made["lineItems"][0]["unitPriceIncludingTax"] == 40
        assert "metaData" not in made
        path = f"/payment/transactions/{made['id']}"
        assert shop.get(path) == made
        assert shop.get(f"{path}?expand=metaData,group")["group"]["state"] == "PENDING"
        found = shop.get(f"/payment/transactions/search?query=merchantReference:order-1%20id:{made['id']}")
        assert found["data"] == [made]
        assert made in shop.get("/payment/transactions?order=DESC&limit=100")["data"]

    def test_changes_while_it_is_pending(self, shop: Shop) -> None:
        path = f"/payment/transactions/{shop.create(merchantReference='order-2')['id']}"
        after = shop.call("PATCH", path, {"version": 2, "lineItems": [SHIPPING], "shippingMethod": "post"}).json
        assert (after["version"], after["authorizationAmount"], after["merchantReference"]) == (3, 20, "order-2")
        assert shop.refused("PATCH", path, {"version": 2})[0] == 409
        assert shop.refused("PATCH", path, {})[0] == 409
        assert shop.refused("PATCH", path, {"version": 3, "lineItems": None}) == (422, "content_invalid", ["lineItems"])
        after = shop.call("PATCH", path, {"version": 3, "currency": "JPY"}).json
        assert (after["currency"], after["authorizationAmount"]) == ("JPY", 20)
        assert shop.refused("PATCH", path, {"version": 4, "currency": None})[:2] == (422, "content_invalid")

    def test_confirming(self, shop: Shop) -> None:
        path = f"/payment/transactions/{shop.create()['id']}"
        assert shop.refused("POST", f"{path}/confirm", {"version": 1})[0] == 409
        after = shop.post(f"{path}/confirm", {"version": 2, "merchantReference": "final"})
        assert (after["state"], after["version"], after["merchantReference"]) == ("CONFIRMED", 3, "final")
        assert after["confirmedBy"] == shop.merchant.user_id
        assert shop.refused("POST", f"{path}/confirm", {"version": 3})[:2] == (422, "state_invalid")
        assert shop.refused("PATCH", path, {"version": 3, "currency": "CHF"})[:2] == (422, "state_invalid")

    @pytest.mark.parametrize(
        ("members", "expected"),
        [
            ({"lineItems": None}, (400, ["lineItems"])),
            ({"lineItems": []}, (422, ["lineItems"])),
            ({"currency": None}, (422, ["currency"])),
            ({"currency": "XXX"}, (422, ["currency"])),
            ({"currency": "JPY", "lineItems": [{**SHIRT, "amountIncludingTax": Decimal("0.5")}]},
             (422, ["lineItems[0].amountIncludingTax"])),
            ({"lineItems": [{**SHIRT, "amountIncludingTax": "0.505"}]}, (422, ["lineItems[0].amountIncludingTax"])),
            ({"lineItems": [SHIRT, SHIRT]}, (422, ["lineItems[1].uniqueId"])),
            ({"lineItems": [{**SHIRT, "quantity": 0}]}, (422, ["lineItems[0].quantity"])),
            ({"lineItems": [{**SHIRT, "taxes": [{"rate": Decimal("100.01"), "title": "VAT"}]}]},
             (422, ["lineItems[0].taxes[0].rate"])),
            ({"lineItems": [SHIPPING, {**SHIRT, "type": "DISCOUNT", "amountIncludingTax": -21}]}, (422, ["lineItems"])),
            ({"merchantReference": "Größe"}, (422, ["merchantReference"])),
            ({"customerEmailAddress": "x@" + "x" * 250 + ".ch"}, (422, ["customerEmailAddress"])),
            ({"deviceSessionIdentifier": "short"}, (422, ["deviceSessionIdentifier"])),
            ({"successUrl": "ftp://a.example"}, (422, ["successUrl"])),
            ({"token": 17}, (422, ["token"])),
        ],
    )  # fmt: skip
    def test_bodies_that_are_refused(
        self, shop: Shop, members: dict[str, object], expected: tuple[int, list[str]]
    ) -> None:
        status, _, errors = shop.refused(
            "POST", "/payment/transactions", {"currency": "EUR", "lineItems": [SHIRT], **members}
        )
        assert (status, errors) == expected

    def test_amounts_are_exact(self, shop: Shop) -> None:
        made = shop.create(currency="BHD", lineItems=[{**SHIPPING, "amountIncludingTax": "0.123"}])
        raw = shop.call("GET", f"/payment/transactions/{made['id']}").body
        assert b'"authorizationAmount":0.123' in raw
        assert shop.process(made["id"])["state"] == "FULFILL"


class TestPaying:
    @pytest.mark.parametrize("behaviour", [None, "COMPLETE_IMMEDIATELY", "USE_CONFIGURATION"])
    def test_a_card_is_charged_and_all_is_done(self, shop: Shop, behaviour: str | None) -> None:
        paid = shop.paid(completionBehavior=behaviour)
        assert (paid["state"], paid["completedAmount"], paid["authorizationAmount"]) == ("FULFILL", 100, 100)
        number = paid["id"]
        (attempt,) = shop.get(f"/payment/charge-attempts/search?query=linkedTransaction:{number}&expand=charge,labels")[
            "data"
        ]
        assert (attempt["state"], attempt["charge"]["state"], attempt["charge"]["type"]) == (
            "SUCCESSFUL", "SUCCESSFUL", "SYNCHRONOUS",
        )  # fmt: skip
        assert attempt["labels"][0]["contentAsString"] == "411111******1111"
        (completion,) = shop.get(f"/payment/transactions/completions/search?query=linkedTransaction:{number}")["data"]
        assert (completion["state"], completion["mode"], completion["lastCompletion"]) == ("SUCCESSFUL", "DIRECT", True)
        assert shop.get(f"/payment/transactions/{number}?expand=group")["group"]["state"] == "SUCCESSFUL"

    def test_what_waits_for_its_completion(self, shop: Shop) -> None:
        paid = shop.authorised()
        assert (paid["state"], paid["completedAmount"]) == ("AUTHORIZED", 0)
        done = shop.post(f"/payment/transactions/{paid['id']}/complete-online")
        assert (done["state"], done["amount"], done["mode"]) == ("SUCCESSFUL", 100, "ONLINE")
        assert shop.state(paid["id"]) == "FULFILL"
        assert shop.post(f"/payment/transactions/{paid['id']}/complete-online") == done
        assert shop.refused("POST", f"/payment/transactions/{paid['id']}/void-online")[:2] == (422, "state_invalid")

    def test_what_confirms_itself_only_if_it_may(self, shop: Shop) -> None:
        made = shop.create(autoConfirmationEnabled=False)
        path = f"/payment/transactions/{made['id']}"
        assert shop.refused("POST", f"{path}/process-card-details", card())[:2] == (422, "state_invalid")
        shop.post(f"{path}/confirm", {"version": 2})
        assert shop.process(made["id"])["state"] == "FULFILL"
        assert shop.refused("POST", f"{path}/process-card-details", card())[:2] == (422, "state_invalid")

    @pytest.mark.parametrize(
        ("members", "expected"),
        [
            ({"primaryAccountNumber": "4111111111111112"}, (422, ["cardData.primaryAccountNumber"])),
            ({"primaryAccountNumber": "4111-1111"}, (422, ["cardData.primaryAccountNumber"])),
            ({"primaryAccountNumber": None}, (400, ["cardData.primaryAccountNumber"])),
            ({"primaryAccountNumber": 4111111111111111}, (400, ["cardData.primaryAccountNumber"])),
            ({"expiryDate": "2040-13"}, (422, ["cardData.expiryDate"])),
            ({"expiryDate": "2020-12"}, (422, ["cardData.expiryDate"])),
            ({"expiryDate": None}, (422, ["cardData.expiryDate"])),
            ({"cardVerificationCode": "7"}, (422, ["cardData.cardVerificationCode"])),
            ({"cardVerificationCode": "abc"}, (422, ["cardData.cardVerificationCode"])),
            ({"panType": "GOLD"}, (422, ["cardData.panType"])),
            ({"cardholderAuthentication": {"version": "V2"}},
             (400, ["cardData.cardholderAuthentication.authenticationResponse"])),
        ],
    )  # fmt: skip
    def test_cards_that_are_refused(
        self, shop: Shop, members: dict[str, object], expected: tuple[int, list[str]]
    ) -> None:
        made = shop.create()
        answer = shop.call("POST", f"/payment/transactions/{made['id']}/process-card-details", card(**members))
        assert (answer.status, sorted(answer.json["errors"])) == expected
        assert PAN.encode() not in answer.body
        assert b"4111111111111112" not in answer.body
        assert shop.state(made["id"]) == "PENDING"


class TestEdges:
    def test_the_environment_that_the_merchant_insists_on(self, shop: Shop) -> None:
        """A space with the test processor alone moves no money, and takes no payment that has to."""
        made = shop.create(environmentSelectionStrategy="FORCE_TEST_ENVIRONMENT")["id"]
        assert shop.process(made)["authorizationEnvironment"] == "TEST"
        (attempt,) = shop.get(f"/payment/charge-attempts/search?query=linkedTransaction:{made}")["data"]
        assert attempt["environment"] == "TEST"
        made = shop.create(environmentSelectionStrategy="FORCE_PRODUCTION_ENVIRONMENT")["id"]
        target = f"/payment/transactions/{made}"
        assert shop.refused("POST", f"{target}/process-card-details", card())[:2] == (422, "no_connector")
        assert shop.get(f"{target}/payment-method-configurations?integrationMode=IFRAME")["data"] == []

    def test_nothing_to_pay(self, shop: Shop) -> None:
        """A cart that comes to zero goes its way like any other, and leaves nothing to pay back."""
        off = {"uniqueId": "off", "name": "Off", "type": "DISCOUNT", "quantity": 1, "amountIncludingTax": -20}
        paid = shop.paid(lineItems=[SHIPPING, off])
        assert (paid["state"], paid["completedAmount"]) == ("FULFILL", 0)
        (invoice,) = shop.get(f"/payment/transactions/invoices/search?query=linkedTransaction:{paid['id']}")["data"]
        assert (invoice["state"], invoice["outstandingAmount"]) == ("NOT_APPLICABLE", 0)
        body = {"externalId": f"{paid['id']}", "transaction": paid["id"], "type": "MERCHANT_INITIATED_ONLINE"}
        assert shop.refused("POST", "/payment/refunds", body)[::2] == (422, ["amount"])
        waiting = shop.authorised(lineItems=[SHIPPING, off])["id"]
        assert shop.post(f"/payment/transactions/{waiting}/complete-online")["state"] == "SUCCESSFUL"
        assert shop.state(waiting) == "FULFILL"

    def test_every_state_on_the_way_is_told(self, shop: Shop) -> None:
        """Webhook listeners hear of each, in order, though one write takes several steps."""
        number = shop.paid()["id"]
        subject = f"S{shop.merchant.space_id}#Transaction#{number}"
        partition = f"CHANGE#{events.shard_of(subject):02d}"
        told = [row for row in table().query(partition) if row["entity_id"] == number]
        assert [row["state"] for row in told] == [
            "PENDING", "CONFIRMED", "PROCESSING", "AUTHORIZED", "COMPLETED", "FULFILL",
        ]  # fmt: skip

    def test_the_version_rises_with_every_write(self, shop: Shop) -> None:
        number = shop.authorised()["id"]
        before = shop.get(f"/payment/transactions/{number}")["version"]
        body = {"externalId": f"v{number}", "lineItems": [{"uniqueId": "shirt", "quantity": 1, "amount": 40}]}
        shop.post(f"/payment/transactions/{number}/complete-partially-offline", body)
        assert shop.get(f"/payment/transactions/{number}")["version"] == before + 1
        path = f"/payment/transactions/{number}/comments"
        shop.call("POST", path, {"transaction": number, "content": "x"})
        assert shop.get(f"/payment/transactions/{number}")["version"] == before + 1
