"""Stops and kills: what was answered is still there, and the keys, wrapped anew before, still fit the rows."""

from __future__ import annotations

from tests.e2e.stack import Stack
from tests.e2e.test_newcomer import CARD

KEY = {"x-idempotency-key": "survivor"}
HOUR = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def test_data_survives_a_stop_and_a_kill(own_stack: Stack) -> None:
    made = own_stack.send("POST", "/cde-import", account="demo", json_body=CARD, headers=KEY)
    assert made.status == 200
    assert "rewrap_before" in own_stack.invoke("Keys", {"action": "rewrap_data_keys"})
    upkeep = own_stack.invoke("Keys", HOUR)
    assert upkeep["rewrapped"] > 0
    assert upkeep["owners_left"] == upkeep["failed"] == 0
    for end in (own_stack.stop, own_stack.kill, own_stack.kill):
        end()
        own_stack.start()
        assert own_stack.send("GET", f"/tokens/{made.json['id']}", account="demo").json == made.json
        # The replay opens a sealed answer, which only works while the KMS key of the row is there.
        again = own_stack.send("POST", "/cde-import", account="demo", json_body=CARD, headers=KEY)
        assert (again.status, again.body) == (200, made.body)
        assert again.headers["x-idempotency-replayed"] == "true"
    assert own_stack.send("POST", "/cde-import", account="demo", json_body=CARD).status == 200
    assert own_stack.send("GET", "/tokens", account="demo").json["total_items"] == 2
