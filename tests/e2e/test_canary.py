"""A PAN with a face of its own, sent in every way: no file of the machine holds it afterwards.

The data folder holds the database, the queues' and keys' state, every function's log and the objects: all is searched.
"""

from __future__ import annotations

import base64
import json

from tests.e2e.stack import Stack
from tests.e2e.test_newcomer import CARD

CANARY = "4929130984750120"
BROKEN = "4929130984750121"
SPACED = "4929 1309 8475 0120"


def test_no_card_number_is_left_anywhere(own_stack: Stack) -> None:
    card = {**CARD, "account_number": CANARY}
    sent = [
        own_stack.send("POST", "/cde-import", account="demo", json_body=card, headers={"x-idempotency-key": CANARY}),
        own_stack.send("POST", "/cde-import", account="demo", json_body=card, headers={"x-idempotency-key": CANARY}),
        own_stack.send("POST", "/cde-import", account="demo", json_body={**card, "account_number": BROKEN}),
        own_stack.send("POST", "/cde-import", account="demo", json_body={**card, "account_number": int(CANARY)}),
        own_stack.send("POST", "/cde-import", account="demo", json_body={**card, "cardholder_name": SPACED}),
        own_stack.send("POST", "/cde-import", account="demo", body=json.dumps(card).encode()[:-1]),
        own_stack.send("POST", "/cde-import", account="demo", json_body={CANARY: CANARY}),
        own_stack.send("POST", "/cde-import", headers={"x-api-key": CANARY}, json_body=card),
        own_stack.send("GET", f"/tokens/{CANARY}", account="demo"),
        own_stack.send("GET", f"/tokens?business_key={CANARY}&limit={CANARY}&sort={CANARY}", account="demo"),
        own_stack.send("GET", "/tokens", account="demo", headers={"x-hellgate-version": CANARY}),
        own_stack.send("POST", "/merchants", account="demo", json_body={"legal_name": CANARY, "country_code": CANARY}),
        own_stack.send(CANARY, "/tokens", account="demo"),
        own_stack.send("GET", f"/{CANARY}"),
    ]
    assert {answer.status for answer in sent} <= {200, 401, 404, 405, 422}
    for answer in sent:
        assert not _holds(answer.body), answer.body
        assert not any(_holds(value.encode()) for value in answer.headers.values())
    token_id = sent[0].json["id"]
    assert own_stack.send("DELETE", f"/tokens/{token_id}", account="demo").status == 204
    own_stack.stop()
    searched = [path for path in own_stack.data.parent.rglob("*") if path.is_file()]
    assert any(path.name == "Tokens.log" for path in searched)
    assert [path.name for path in searched if _holds(path.read_bytes())] == []


def _holds(content: bytes) -> bool:
    """The number in clear, in base64 at any of the three offsets, or in hexadecimal."""
    needles = [CANARY.encode(), BROKEN.encode(), SPACED.encode(), CANARY.encode().hex().encode()]
    needles += [base64.b64encode(b"x" * shift + CANARY.encode())[4:20] for shift in range(3)]
    return any(needle in content for needle in needles)
