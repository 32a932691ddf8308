"""Documents through the door, read back by another library than the one that printed them."""

from __future__ import annotations

import base64
import io
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from payments.access.handler import handler as access
from payments.documents.models import Content
from payments.documents.rules import printing
from tests.payments.shops import SHIPPING, SHIRT, Shop, new_shop

ADDRESS = {"givenName": "Zoë", "familyName": "Müller", "street": "Weg 1\nc/o Huber", "postcode": "3000", "city": "Bern"}
TYPES = {"invoice": 1469000000001, "packing slip": 1469000000002, "refund": 1469000000003}


def text_of(answer: Any, word: str) -> str:
    """The text of a document, which is what it says it is."""
    assert word in answer["title"]
    assert (answer["mimeType"], answer["documentTemplateType"]) == ("application/pdf", TYPES[word])
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(base64.b64decode(answer["data"]))).pages)


@pytest.fixture(scope="module")
def paid(shop: Shop) -> dict[str, Any]:
    space = {"version": 1, "postalAddress": {"street": "Allee 9", "city": "Zug"}}
    assert shop.merchant.call(access, "PATCH", f"/spaces/{shop.merchant.space_id}", space).status == 200
    lines = [{**SHIRT, "sku": "s-1"}, SHIPPING]
    return shop.paid(billingAddress=ADDRESS, merchantReference="o-77", lineItems=lines, shippingMethod="Post")


def test_an_invoice(shop: Shop, paid: dict[str, Any]) -> None:
    answer = shop.get(f"/payment/transactions/{paid['id']}/invoice-document")
    text = text_of(answer, "invoice")
    for said in (
        "Zoë Müller",
        "Weg 1",
        "c/o Huber",
        "3000 Bern",
        "Allee 9",
        "Invoice",
        "Shirt",
        "EUR 80.00",
        "EUR 100.00",
    ):
        assert said in text, said
    (invoice,) = shop.get(f"/payment/transactions/invoices/search?query=linkedTransaction:{paid['id']}")["data"]
    assert shop.get(f"/payment/transactions/invoices/{invoice['id']}/document") == answer


def test_a_packing_slip_has_goods_and_no_prices(shop: Shop, paid: dict[str, Any]) -> None:
    text = text_of(shop.get(f"/payment/transactions/{paid['id']}/packing-slip-document"), "packing slip")
    assert "Shirt" in text
    assert "s-1" in text
    assert "Post" in text
    assert "EUR" not in text
    assert "Shipping\n1" not in text


def test_a_credit_note(shop: Shop, paid: dict[str, Any]) -> None:
    body = {
        "externalId": "d",
        "type": "MERCHANT_INITIATED_ONLINE",
        "transaction": paid["id"],
        "amount": Decimal("12.50"),
    }
    refund = shop.call("POST", "/payment/refunds", body).json
    text = text_of(shop.get(f"/payment/refunds/{refund['id']}/document"), "refund")
    assert "Credit Note" in text
    assert "EUR 12.50" in text


def test_in_the_buyer_s_language(shop: Shop) -> None:
    number = shop.paid(language="de-CH")["id"]
    assert "Rechnung" in text_of(shop.get(f"/payment/transactions/{number}/invoice-document"), "invoice")
    assert "Lieferschein" in text_of(shop.get(f"/payment/transactions/{number}/packing-slip-document"), "packing slip")


def test_nothing_before_there_is_something(shop: Shop) -> None:
    number = shop.create()["id"]
    for word in ("invoice", "packing-slip"):
        path = f"/payment/transactions/{number}/{word}-document"
        assert shop.refused("GET", path)[:2] == (422, "state_invalid")
    stranger = new_shop()
    for path in ("transactions/{}/invoice-document", "transactions/{}/packing-slip-document"):
        assert stranger.refused("GET", f"/payment/{path.format(number)}")[0] == 404
    for path in ("transactions/invoices/17/document", "refunds/17/document"):
        assert shop.refused("GET", f"/payment/{path}")[0] == 404


def content(rows: list[tuple[str, ...]]) -> Content:
    columns = (("Item", 283, False), ("Article", 120, False), ("Quantity", 80, True))
    return Content("title", "Heading", ("Sender",), ("Recipient",), (("Number", "1"),), columns, tuple(rows))


def test_long_documents_go_on_on_further_pages() -> None:
    data = printing.printed(content([(f"Item {n}", "x", "1") for n in range(120)]))
    pages = PdfReader(io.BytesIO(data)).pages
    assert len(pages) == 3
    text = "\n".join(page.extract_text() for page in pages)
    assert all(f"Item {n}" in text for n in range(120))
    assert "3 / 3" in pages[-1].extract_text()
    assert printing.printed(content([(f"Item {n}", "x", "1") for n in range(120)])) == data


@given(st.lists(st.tuples(st.text(max_size=200), st.text(max_size=60), st.text(max_size=12)), max_size=5))
@settings(max_examples=40, deadline=None)
def test_whatever_is_printed_can_be_read(rows: list[tuple[str, ...]]) -> None:
    assert len(PdfReader(io.BytesIO(printing.printed(content(rows)))).pages) == 1


@given(st.text(max_size=300), st.integers(20, 300))
@settings(max_examples=50, deadline=None)
def test_lines_fit(text: str, width: int) -> None:
    for line in printing.wrapped(text, width):
        assert printing.width_of(line) <= width or len(line) == 1
