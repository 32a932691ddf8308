"""Ephemeral tokens end on time, swept or not; the sweep takes everything that is over, once, and holds no key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.environment import DEPLOYMENT
from tests.support.faults import deaths
from tests.support.functions import FakeLambda
from tests.support.http import Merchant, Response, send
from tests.vault.sessions.clients import CARD, Client
from tollgate import aws
from tollgate.errors import Contended
from tollgate.store.table import Table
from vault.merchants import handler as merchants
from vault.sessions import handler as sessions
from vault.sessions import worker
from vault.tokens import handler as tokens
from vault.tokens.repository import TokenRepository
from vault.tokens.service import TokenExpiry

VAULT = DEPLOYMENT.tables["VaultTable"].name
EPHEMERAL = DEPLOYMENT.tables["VaultEphemeralTable"].name
MERCHANT = {
    "company_city": "Berlin",
    "country_code": "DE",
    "legal_name": "Example Merchant",
    "website_url": "https://example.com",
    "3ds_enabled": True,
}
SANDBOX = DEPLOYMENT.tables["SandboxTable"].name


@pytest.fixture
def merchant(make_merchant: Callable[..., Merchant]) -> Merchant:
    return make_merchant(tokens.handler)


@pytest.fixture
def other(make_merchant: Callable[..., Merchant]) -> Merchant:
    return make_merchant(tokens.handler)


def open_session(merchant: Merchant, **wishes: Any) -> Client:
    opened = merchant.at(sessions.handler).send("POST", "/tokens/session", json_body=wishes)
    return Client(sessions.handler, opened.json["session_id"])


def ephemeral(merchant: Merchant, seconds: int = 60, **changes: Any) -> str:
    """A token that lasts so long."""
    return str(open_session(merchant, expiration_time=seconds).hand_over(**changes).json["data"]["token_id"])


def read(merchant: Merchant, token_id: str) -> Response:
    return merchant.send("GET", f"/tokens/{token_id}")


def sweep() -> dict[str, int]:
    return worker.handler({}, object())


def scan(table: str, prefix: str, of: str) -> list[dict[str, Any]]:
    """Items whose key begins so, and holds `of`."""
    pages = aws.dynamodb().get_paginator("scan").paginate(TableName=table)
    keys = [(item["pk"]["S"], item["sk"]["S"], item) for page in pages for item in page["Items"]]
    return [item for pk, sk, item in keys if pk.startswith(prefix) and of in pk + sk]


def announced(token_id: str) -> list[dict[str, Any]]:
    pages = aws.dynamodb().get_paginator("scan").paginate(TableName=VAULT)
    found = [item for page in pages for item in page["Items"] if item.get("subject", {}).get("S") == token_id]
    records = [item for item in found if item["pk"]["S"].startswith("OUTBOX#")]
    return [
        {"type": each["type"]["S"], **json.loads(each["payload"]["S"])}
        for each in sorted(records, key=lambda item: item["created_at"]["S"])
    ]


class TestTokens:
    def test_tell_when_they_end(self, merchant: Merchant, held_clock: Any) -> None:
        token = read(merchant, ephemeral(merchant, 2_592_000)).json
        assert token["network_token_status"] == "not_available"
        begins, ends = (held_clock.at.fromisoformat(token[name]) for name in ("created_at", "expires_at"))
        assert (ends - begins).total_seconds() == 2_592_000
        assert len(token["created_at"]) == len(token["expires_at"])

    def test_get_no_network_token_where_lasting_ones_do(self, merchant: Merchant) -> None:
        onboarded = merchant.at(merchants.handler).send("POST", "/merchants", json_body=MERCHANT)
        assert onboarded.status == 200
        lasting = open_session(merchant, bypass_identification=True).hand_over().json["data"]["token_id"]
        statuses = [read(merchant, each).json["network_token_status"] for each in (lasting, ephemeral(merchant))]
        assert statuses == ["pending", "not_available"]

    def test_count_from_their_own_creation(self, merchant: Merchant, held_clock: Any) -> None:
        client = open_session(merchant, expiration_time=1)
        held_clock.advance(minutes=20)
        token_id = client.hand_over().json["data"]["token_id"]
        assert read(merchant, token_id).status == 200

    def test_end_on_the_second_without_a_sweep(self, merchant: Merchant, held_clock: Any) -> None:
        held_clock.at = held_clock.at.replace(microsecond=0)
        token_id = ephemeral(merchant, 1)
        held_clock.advance(microseconds=999_999)
        assert read(merchant, token_id).status == 200
        held_clock.advance(microseconds=1)
        assert read(merchant, token_id).status == 404
        assert merchant.send("DELETE", f"/tokens/{token_id}").status == 404

    def test_are_gone_from_lists_and_totals_at_once(self, merchant: Merchant, held_clock: Any) -> None:
        stays = merchant.send("POST", "/cde-import", json_body=CARD).json["id"]
        for scheme_card in ("4242424242424242", "5555555555554444", "4242424242424242"):
            ephemeral(merchant, account_number=scheme_card)
        assert merchant.send("GET", "/tokens").json["total_items"] == 4
        held_clock.advance(seconds=60)
        for query in ("", "?scheme=VISA", "?network_token_status=not_available&limit=1", "?sort=created_at+asc"):
            answer = merchant.send("GET", f"/tokens{query}").json
            assert ([each["id"] for each in answer["data"]], answer["total_items"]) == ([stays], 1)

    def test_of_others_are_left_to_the_sweep_by_a_list(
        self, merchant: Merchant, other: Merchant, held_clock: Any
    ) -> None:
        token_id = ephemeral(other)
        held_clock.advance(seconds=60)
        merchant.send("GET", "/tokens")
        assert [each["type"] for each in announced(token_id)] == ["token.created"]
        sweep()
        assert [each["type"] for each in announced(token_id)] == ["token.created", "token.deleted"]

    def test_are_destroyed_and_announced_once(self, merchant: Merchant, held_clock: Any) -> None:
        token_id = ephemeral(merchant)
        before = read(merchant, token_id).json
        held_clock.advance(seconds=61)
        counts = [sweep(), sweep()]
        assert counts[0]["TokensExpired"] >= 1
        assert counts[1]["TokensExpired"] == counts[1]["ExpiryLeft"] == 0
        created, deleted = announced(token_id)
        assert created == {"type": "token.created", "token": before}
        assert deleted == {"type": "token.deleted", "token": {**before, "cardholder_name": "ANONYMIZED"}}
        (item,) = scan(VAULT, "TOKEN#", token_id)
        assert item["cardholder_name"] == {"S": "ANONYMIZED"}
        assert not {"card", "expiry_month", "expiry_year", "fingerprint"} & set(item)
        assert scan(VAULT, "TOKENS-DUE#", token_id) == []
        assert scan(EPHEMERAL, "CODE#", token_id) == []

    def test_may_be_deleted_before(self, merchant: Merchant, held_clock: Any) -> None:
        token_id = ephemeral(merchant)
        held_clock.advance(seconds=1)
        assert merchant.send("DELETE", f"/tokens/{token_id}").status == 204
        assert scan(VAULT, "TOKENS-DUE#", token_id) == []
        held_clock.advance(seconds=61)
        sweep()
        assert [each["type"] for each in announced(token_id)] == ["token.created", "token.deleted"]

    def test_that_last_are_left_alone(self, merchant: Merchant, held_clock: Any) -> None:
        stays, later = merchant.send("POST", "/cde-import", json_body=CARD).json["id"], ephemeral(merchant, 3600)
        held_clock.advance(seconds=3599)
        sweep()
        assert {read(merchant, each).status for each in (stays, later)} == {200}

    def test_of_a_page_and_more_end_in_one_sweep(self, merchant: Merchant, held_clock: Any) -> None:
        for _ in range(30):
            ephemeral(merchant)
        held_clock.advance(seconds=60)
        first = merchant.send("GET", "/tokens").json
        assert first["data"] == []
        assert first["total_items"] == 5, "what a list ends is bounded"
        assert sweep()["ExpiryLeft"] == 0
        assert merchant.send("GET", "/tokens").json["total_items"] == 0


class TestSweep:
    def test_takes_sessions_keys_and_codes(self, merchant: Merchant, held_clock: Any) -> None:
        client = open_session(merchant)
        token_id = open_session(merchant).hand_over().json["data"]["token_id"]
        owner = merchant.account_id
        assert len(scan(EPHEMERAL, "CODE#", token_id)) == len(scan(EPHEMERAL, "SESSION-KEY#", owner)) == 1
        held_clock.advance(minutes=31)
        sweep()
        assert scan(EPHEMERAL, "SESSION#", client.id) == []
        assert len(scan(EPHEMERAL, "CODE#", token_id)) == 1
        held_clock.advance(minutes=61)
        assert sweep()["SecurityCodesExpired"] >= 1
        for prefix, of in (("CODE", token_id), ("SESSION", owner), ("SESSION", client.id)):
            assert scan(EPHEMERAL, prefix, of) == []
        assert read(merchant, token_id).status == 200

    def test_leaves_what_is_not_over(self, merchant: Merchant, held_clock: Any) -> None:
        client = open_session(merchant)
        held_clock.advance(minutes=29)
        sweep()
        assert client.hand_over().json["status"] == "success"
        sweep()
        assert client.read().json["status"] == "success"

    def test_says_how_much_it_did_and_left(self, merchant: Merchant, held_clock: Any, capsys: Any) -> None:
        ephemeral(merchant)
        held_clock.advance(hours=3)
        sweep()
        metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"ExpiryLeft"' in line]
        assert metrics[-1]["service"] == "expiry"
        assert metrics[-1]["TokensExpired"][0] >= 1
        assert metrics[-1]["ExpiryLeft"] == [0]

    def test_stops_in_time_and_goes_on_next_time(
        self, merchant: Merchant, held_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sweep()
        token_id = ephemeral(merchant)
        held_clock.advance(seconds=60)
        monkeypatch.setattr(worker, "MOST_SECONDS", -1)
        stopped = sweep()
        assert (stopped["TokensExpired"], stopped["ExpiryLeft"] >= 1) == (0, True)
        monkeypatch.undo()
        sweep()
        assert len(announced(token_id)) == 2

    def test_is_not_kept_by_one_that_fails(
        self, merchant: Merchant, held_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token_ids = [ephemeral(merchant) for _ in range(3)]
        held_clock.advance(seconds=60)
        due = worker._expiry.due

        def failing() -> Iterator[tuple[str, Callable[[], int]]]:
            for index, (kind, end) in enumerate(due()):
                yield kind, [poisoned, contended][index] if index < 2 else end

        monkeypatch.setattr(worker._expiry, "due", failing)
        with pytest.raises(ZeroDivisionError):
            sweep()
        monkeypatch.undo()
        assert sum(len(announced(each)) == 2 for each in token_ids) >= 1
        sweep()
        assert [len(announced(each)) for each in token_ids] == [2, 2, 2]

    def test_runs_twice_at_once_without_doubling(self, merchant: Merchant, held_clock: Any) -> None:
        token_ids = [ephemeral(merchant) for _ in range(6)]
        held_clock.advance(seconds=60)
        with ThreadPoolExecutor(4) as pool:
            runs = list(pool.map(lambda _: sweep(), range(4)))
        assert sum(run["TokensExpired"] for run in runs) >= 6
        assert [len(announced(each)) for each in token_ids] == [2] * 6
        assert merchant.send("GET", "/tokens").json["total_items"] == 0

    def test_survives_death_at_any_call(self, merchant: Merchant, held_clock: Any) -> None:
        token_ids = [ephemeral(merchant) for _ in range(8)]
        held_clock.advance(seconds=60)
        repository = TokenRepository(Table(VAULT, aws.dynamodb()), Table(EPHEMERAL, aws.dynamodb()))
        due = {each.token_id: each for each in repository.due()}
        waiting = [*token_ids]
        for death in deaths(aws.dynamodb(), lambda: TokenExpiry(repository).end(due[waiting[-1]])):
            TokenExpiry(repository).end(due[waiting[-1]])
            assert len(announced(waiting.pop())) == 2, death
        assert len(waiting) < 6
        assert sweep()["ExpiryLeft"] == 0
        assert [len(announced(each)) for each in token_ids] == [2] * 8
        assert merchant.send("GET", "/tokens").json["total_items"] == 0


def poisoned() -> int:
    return 1 // 0


def contended() -> int:
    raise Contended


class TestSandboxClock:
    def test_runs_the_sweep_before_it_answers(self, merchant: Merchant, functions: FakeLambda) -> None:
        from control.sandbox.handler import handler as sandbox

        token_id = ephemeral(merchant, 86_400)
        try:
            moved = send(sandbox, "POST", "/sandbox/clock", json_body={"advance_seconds": 86_400})
            assert moved.status == 200
            assert "Expiry" in functions.invoked
            assert [each["type"] for each in announced(token_id)] == ["token.created", "token.deleted"]
        finally:
            aws.dynamodb().delete_item(TableName=SANDBOX, Key={"pk": {"S": "CLOCK"}, "sk": {"S": "#"}})
            send(sandbox, "GET", "/sandbox/clock")
