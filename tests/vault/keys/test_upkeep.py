"""Upkeep of data keys: what follows a rotation, in pieces, past faults and deaths, without anyone noticing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.support.faults import deaths
from tests.support.http import Merchant
from tests.support.keys import FakeKms
from tollgate import aws, clock
from tollgate.crypto.keyring import Keyring, number_of
from tollgate.crypto.keys import Kms
from tollgate.store.table import Table
from vault.keys import service, worker
from vault.keys.repository import UpkeepRepository
from vault.keys.service import BETWEEN_WALKS, LONGEST_UNDER_ONE_MATERIAL, SETTLED_AFTER, KeyUpkeep
from vault.merchants.handler import handler as merchants_door
from vault.merchants.public import merchants_of
from vault.network_tokens.public import provisioning_of
from vault.network_tokens.worker import _settings as provider_settings
from vault.tokens.handler import handler as tokens_door
from vault.tokens.public import tokens_of

TABLE = Table(worker._settings.vault_table, aws.dynamodb())
CARD: dict[str, Any] = {"account_number": "4242424242424242", "expiry_month": 4, "expiry_year": 2033}
SHOP: dict[str, Any] = {
    "company_city": "Berlin",
    "country_code": "DE",
    "legal_name": "Example Merchant",
    "website_url": "https://example.com",
    "3ds_enabled": True,
}


class OwnersOf(Keyring):
    """The keyring of cards, as if only these accounts were there: the table is shared with other tests."""

    def __init__(self, accounts: list[str]) -> None:
        super().__init__(TABLE, Kms(aws.kms(), worker._settings.vault_key_id), "cards")
        self._accounts = sorted(accounts)

    def owners(self, after: str, limit: int) -> list[str]:
        found = [owner for owner in super().owners("", 100_000) if owner in self._accounts]
        return [owner for owner in found if owner > after][:limit]


class House:
    """Some accounts, and the upkeep of their keys."""

    def __init__(self, accounts: list[Merchant]) -> None:
        self.accounts = accounts
        self.faults: list[Exception] = []
        self.fresh()

    def fresh(self) -> None:
        """As in a new process: nothing is remembered."""
        keyring = OwnersOf([each.account_id for each in self.accounts])
        self.tokens, self.merchants = tokens_of(worker._settings, keyring), merchants_of(TABLE, keyring)
        self.upkeep = KeyUpkeep(
            UpkeepRepository(TABLE), {"cards": keyring}, self.tokens, self.merchants, on_fault=self.faults.append
        )

    def card(self, account: Merchant, **changes: Any) -> str:
        answer = account.at(tokens_door).send("POST", "/cde-import", json_body={**CARD, **changes})
        assert answer.status == 200
        return str(answer.json["id"])

    def rotate(self, account: Merchant) -> None:
        self.upkeep.carry_out({"action": "rotate_data_key", "account_id": account.account_id})

    def sealed(self, account: Merchant, token_id: str, attribute: str = "card") -> bytes:
        item = TABLE.get(f"TOKEN#{account.account_id}#{token_id}", "#")
        assert item is not None
        return bytes(item[attribute])

    def numbers(self, account: Merchant, token_ids: list[str]) -> list[int]:
        return [number_of(self.sealed(account, each)) for each in token_ids]

    def reveals(self, account: Merchant, token_ids: list[str]) -> bool:
        self.fresh()
        found = [self.tokens.reveal(self.tokens.find(account.account_id, each)) for each in token_ids]
        return found == [CARD["account_number"]] * len(token_ids)


@pytest.fixture
def make_house(make_merchant: Callable[..., Merchant], held_clock: Any) -> Iterator[Callable[[int], House]]:
    def make(accounts: int) -> House:
        TABLE.delete("KEY-UPKEEP#cards", "#")
        return House([make_merchant(tokens_door) for _ in range(accounts)])

    yield make
    TABLE.delete("KEY-UPKEEP#cards", "#")


@pytest.fixture
def house(make_house: Callable[[int], House]) -> House:
    return make_house(1)


@pytest.fixture
def account(house: House) -> Merchant:
    return house.accounts[0]


def always() -> bool:
    return True


def for_turns(turns: int) -> Callable[[], bool]:
    """Time for so many questions whether there is time."""
    count = itertools.count()
    return lambda: next(count) < turns


class TestResealing:
    def test_old_records_follow_to_the_new_data_key(self, house: House, account: Merchant, held_clock: Any) -> None:
        tokens = [house.card(account) for _ in range(5)]
        house.rotate(account)
        held_clock.advance(seconds=SETTLED_AFTER.total_seconds())
        before = {each: account.at(tokens_door).send("GET", f"/tokens/{each}").json for each in tokens}
        assert house.numbers(account, tokens) == [1] * 5
        report = house.upkeep.run(always)
        assert (report.resealed, report.records_left, report.owners_left, report.failed) == (5, 0, 0, 0)
        assert house.numbers(account, tokens) == [2] * 5
        assert house.reveals(account, tokens)
        assert {each: account.at(tokens_door).send("GET", f"/tokens/{each}").json for each in tokens} == before

    def test_network_tokens_and_merchants_keys_follow_too(
        self, house: House, account: Merchant, held_clock: Any
    ) -> None:
        merchant = account.at(merchants_door).send("POST", "/merchants", json_body=SHOP).json
        token_id = house.card(account)
        for shard in range(16):
            for row in TABLE.query(f"NETWORK-TOKEN-WORK#{shard:02d}"):
                if row["account_id"] == account.account_id:
                    provisioning_of(provider_settings).carry_out(row["pk"], row["sk"])
        known = house.tokens.reveal_network_token(house.tokens.find(account.account_id, token_id))
        assert known is not None
        house.rotate(account)
        held_clock.advance(seconds=SETTLED_AFTER.total_seconds())
        assert house.upkeep.run(always).resealed == 3
        assert number_of(house.sealed(account, token_id, "network_token")) == 2
        house.fresh()
        assert house.tokens.reveal_network_token(house.tokens.find(account.account_id, token_id)) == known
        stored = house.merchants.require(account.account_id, merchant["id"])
        assert house.merchants.encryption_key(stored) == merchant["encryption_key"]

    def test_waits_until_nobody_can_use_the_old_key(self, house: House, account: Merchant, held_clock: Any) -> None:
        tokens = [house.card(account)]
        house.rotate(account)
        assert house.upkeep.run(always).resealed == 0
        assert house.numbers(account, tokens) == [1]
        held_clock.advance(seconds=BETWEEN_WALKS.total_seconds())
        assert house.upkeep.run(always).resealed == 1

    def test_new_records_need_nothing(self, house: House, account: Merchant, held_clock: Any) -> None:
        house.card(account)
        house.rotate(account)
        token_id = house.tokens.tokenise_batch(account.account_id, [_new_card()])[0].id
        assert house.numbers(account, [token_id]) == [2]
        held_clock.advance(seconds=SETTLED_AFTER.total_seconds())
        assert house.upkeep.run(always).resealed == 1

    def test_goes_on_where_time_ran_out(
        self, house: House, account: Merchant, held_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "RECORDS_PER_PAGE", 2)
        tokens = [house.card(account) for _ in range(7)]
        house.rotate(account)
        held_clock.advance(seconds=SETTLED_AFTER.total_seconds())
        reports = []
        for _ in range(4):
            house.fresh()
            reports.append(house.upkeep.run(for_turns(3)))
        assert [report.resealed for report in reports] == [2, 2, 2, 1]
        assert [report.records_left for report in reports] == [5, 3, 1, 0]
        assert [report.owners_left for report in reports] == [1, 1, 1, 0]
        assert house.numbers(account, tokens) == [2] * 7
        assert house.reveals(account, tokens)

    def test_starts_anew_when_the_key_is_rotated_again(
        self, house: House, account: Merchant, held_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "RECORDS_PER_PAGE", 2)
        tokens = [house.card(account) for _ in range(5)]
        house.rotate(account)
        held_clock.advance(seconds=SETTLED_AFTER.total_seconds())
        house.upkeep.run(for_turns(3))
        house.rotate(account)
        held_clock.advance(seconds=SETTLED_AFTER.total_seconds())
        house.upkeep.run(always)
        assert house.numbers(account, tokens) == [3] * 5
        assert house.reveals(account, tokens)

    def test_does_not_bring_back_a_card_destroyed_meanwhile(
        self, house: House, account: Merchant, held_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token_id = house.card(account)
        house.rotate(account)
        held_clock.advance(seconds=SETTLED_AFTER.total_seconds())
        reseal = Keyring.reseal

        def delete_first(*arguments: Any) -> bytes | None:
            assert account.at(tokens_door).send("DELETE", f"/tokens/{token_id}").status == 204
            return reseal(*arguments)

        monkeypatch.setattr(Keyring, "reseal", delete_first)
        assert house.upkeep.run(always).resealed == 0
        item = TABLE.get(f"TOKEN#{account.account_id}#{token_id}", "#")
        assert item is not None
        assert "card" not in item

    def test_counts_what_cannot_be_opened_and_goes_on(self, house: House, account: Merchant, held_clock: Any) -> None:
        tokens = [house.card(account) for _ in range(3)]
        broken = bytearray(house.sealed(account, tokens[1]))
        broken[-1] ^= 1
        key = f"TOKEN#{account.account_id}#{tokens[1]}"
        TABLE.update(key, "#", "SET card = :broken", values={":broken": bytes(broken)})
        house.rotate(account)
        held_clock.advance(seconds=SETTLED_AFTER.total_seconds())
        report = house.upkeep.run(always)
        assert (report.resealed, report.unreadable, report.failed) == (2, 1, 0)
        assert house.sealed(account, tokens[1]) == bytes(broken)

    def test_by_many_at_once_does_each_record_once(self, house: House, account: Merchant, held_clock: Any) -> None:
        tokens = [house.card(account) for _ in range(6)]
        house.rotate(account)
        held_clock.advance(seconds=SETTLED_AFTER.total_seconds())
        houses = [House(house.accounts) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            reports = list(pool.map(lambda each: each.upkeep.run(always), houses))
        assert sum(report.resealed for report in reports) == 6
        assert house.numbers(account, tokens) == [2] * 6
        assert house.reveals(account, tokens)

    def test_survives_death_at_every_call(
        self, house: House, account: Merchant, held_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "RECORDS_PER_PAGE", 1)
        tokens = [house.card(account) for _ in range(2)]
        number = 1
        house.rotate(account)
        held_clock.advance(seconds=SETTLED_AFTER.total_seconds())
        for _ in deaths(aws.dynamodb(), lambda: house.upkeep.run(always)):
            number += 1
            assert house.reveals(account, tokens)
            house.upkeep.run(always)
            assert house.numbers(account, tokens) == [number] * 2
            house.rotate(account)
            held_clock.advance(seconds=SETTLED_AFTER.total_seconds())
        assert number > 10


class TestRewrapping:
    def generations(self, account: Merchant) -> set[int]:
        """Under which of KMS's material the account's data keys are wrapped: the stand-in's first byte."""
        return {row["wrapped"][0] for row in TABLE.query(f"KEYS#cards#{account.account_id}")}

    def test_happens_on_demand(self, house: House, account: Merchant, kms: FakeKms, held_clock: Any) -> None:
        tokens = [house.card(account)]
        house.upkeep.run(always)
        kms.rotate_material()
        held_clock.advance(seconds=1)
        assert house.upkeep.carry_out({"action": "rewrap_data_keys"}) == {"rewrap_before": clock.iso(clock.now())}
        assert house.upkeep.run(always).rewrapped == 2
        assert self.generations(account) == {kms.generation}
        assert house.reveals(account, tokens)
        held_clock.advance(seconds=BETWEEN_WALKS.total_seconds())
        assert house.upkeep.run(always).rewrapped == 0

    def test_happens_by_age(self, house: House, account: Merchant, kms: FakeKms, held_clock: Any) -> None:
        house.card(account)
        kms.rotate_material()
        held_clock.advance(seconds=(LONGEST_UNDER_ONE_MATERIAL - timedelta(hours=2)).total_seconds())
        assert house.upkeep.run(always).rewrapped == 0
        held_clock.advance(hours=3)
        assert house.upkeep.run(always).rewrapped == 2
        assert self.generations(account) == {kms.generation}

    def test_of_one_owner_that_fails_does_not_keep_the_others(
        self, make_house: Callable[[int], House], held_clock: Any
    ) -> None:
        house = make_house(3)
        for account in house.accounts:
            house.card(account)
        bad = sorted(each.account_id for each in house.accounts)[0]
        good = TABLE.get(f"KEYS#cards#{bad}", "seal#000001")
        assert good is not None
        TABLE.put({**good, "wrapped": b"\x00" * 60})
        held_clock.advance(seconds=1)
        house.upkeep.carry_out({"action": "rewrap_data_keys"})
        report = house.upkeep.run(always)
        assert report.failed == len(house.faults) == 1
        TABLE.put(good)
        assert report.rewrapped >= 4
        assert report.owners_left == 0


class TestWalk:
    def test_is_made_once_an_hour(self, make_house: Callable[[int], House], held_clock: Any) -> None:
        house = make_house(1)
        house.card(house.accounts[0])
        house.upkeep.run(always)
        asked: list[str] = []
        house.upkeep._keyrings["cards"].rewrap = lambda owner, **_: asked.append(owner) or 0  # type: ignore[method-assign,func-returns-value]
        held_clock.advance(seconds=BETWEEN_WALKS.total_seconds() - 1)
        house.upkeep.run(always)
        assert asked == []
        held_clock.advance(seconds=1)
        house.upkeep.run(always)
        assert asked == [house.accounts[0].account_id]

    def test_goes_on_with_the_next_owner(
        self, make_house: Callable[[int], House], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "OWNERS_PER_PAGE", 2)
        house = make_house(5)
        for account in house.accounts:
            house.card(account)
        visited: list[str] = []
        left = []
        for _ in range(3):
            house.upkeep._keyrings["cards"].rewrap = lambda owner, **_: visited.append(owner) or 0  # type: ignore[method-assign,func-returns-value]
            left.append(house.upkeep.run(for_turns(3)).owners_left)
            house.fresh()
        assert visited == sorted(each.account_id for each in house.accounts)
        assert left == [3, 1, 0]


class TestDoor:
    """The function itself: an operator's payloads, and the schedule over all three keyrings."""

    def test_rotates_an_accounts_data_key(self, account: Merchant, house: House, held_clock: Any) -> None:
        tokens = [house.card(account)]
        payload = {"action": "rotate_data_key", "account_id": account.account_id}
        assert worker.handler(payload, object()) == {"id": account.account_id, "data_key": 2}
        assert worker.handler(payload, object())["data_key"] == 3
        held_clock.advance(seconds=SETTLED_AFTER.total_seconds())
        assert worker.handler({}, object())["resealed"] >= 1
        assert house.numbers(account, tokens) == [3]

    def test_wraps_the_keys_of_all_keyrings_anew(
        self, account: Merchant, house: House, kms: FakeKms, held_clock: Any
    ) -> None:
        token_id = house.card(account, security_code="123")
        worker.handler({}, object())
        kms.rotate_material()
        held_clock.advance(seconds=1)
        assert "rewrap_before" in worker.handler({"action": "rewrap_data_keys"}, object())
        answer = worker.handler({}, object())
        assert answer["rewrapped"] >= 4
        assert (answer["failed"], answer["owners_left"]) == (0, 0)
        platform = Table(worker._settings.identity_table, aws.dynamodb()).query("KEYS#platform#platform")
        codes = TABLE.query(f"KEYS#security-codes#{account.account_id}")
        assert {row["wrapped"][0] for row in (*platform, *codes)} == {kms.generation}
        assert account.at(tokens_door).send("GET", f"/tokens/{token_id}").status == 200

    @pytest.mark.parametrize(
        ("payload", "classifier"),
        [
            ({"action": "rotate_data_key"}, "VALIDATION_ERROR"),
            ({"action": "rotate_data_key", "account_id": "x"}, "VALIDATION_ERROR"),
            (
                {"action": "rotate_data_key", "account_id": "00000000-0000-4000-8000-000000000000", "x": 1},
                "VALIDATION_ERROR",
            ),
            ({"action": "rotate_data_key", "account_id": "00000000-0000-4000-8000-000000000000"}, "NOT_FOUND"),
            ({"action": "destroy"}, "VALIDATION_ERROR"),
            ({"action": 1}, "VALIDATION_ERROR"),
            ({"action": "rewrap_data_keys", "account_id": "x"}, "VALIDATION_ERROR"),
        ],
    )
    def test_refuses_what_an_operator_mistyped(self, payload: dict[str, Any], classifier: str) -> None:
        assert worker.handler(payload, object())["classifier"] == classifier


def _new_card() -> Any:
    from vault.cards import Card
    from vault.tokens.public import NewCard

    return NewCard(Card(CARD["account_number"], 4, 2033))
