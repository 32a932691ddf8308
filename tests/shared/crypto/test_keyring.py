"""Sealed records: bound to owner and context, numbered keys, rotation, re-wrapping, two writers of the first key."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.environment import DEPLOYMENT
from tests.support.keys import FakeKms, WrongCiphertext
from tollgate import aws
from tollgate.crypto.keyring import CACHE_SECONDS, CannotOpen, Keyring
from tollgate.crypto.keys import Kms
from tollgate.store.table import Table

CONTEXT = {"record": "card", "token": "t-1"}


@pytest.fixture
def table() -> Table:
    return Table(DEPLOYMENT.tables["VaultTable"].name, aws.dynamodb())


@pytest.fixture
def owner() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def service() -> FakeKms:
    return FakeKms()


class Ticks:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def ring(table: Table, service: Any, ticks: Ticks | None = None) -> Keyring:
    return Keyring(table, Kms(service, "key"), "test", monotonic=ticks or Ticks())


def test_what_is_sealed_opens_with_the_same_owner_and_context(table: Table, service: FakeKms, owner: str) -> None:
    sealed = ring(table, service).seal(owner, CONTEXT, b"4242424242424242")
    assert b"4242" not in sealed
    assert ring(table, service).open(owner, CONTEXT, sealed) == b"4242424242424242"


def test_the_same_payload_never_seals_alike(table: Table, service: FakeKms, owner: str) -> None:
    keyring = ring(table, service)
    assert len({keyring.seal(owner, CONTEXT, b"x") for _ in range(50)}) == 50


@pytest.mark.parametrize(
    "context", [{}, {"record": "card"}, {"record": "card", "token": "t-2"}, {"token": "card", "record": "t-1"}]
)
def test_another_context_does_not_open_it(table: Table, service: FakeKms, owner: str, context: dict[str, str]) -> None:
    keyring = ring(table, service)
    with pytest.raises(CannotOpen):
        keyring.open(owner, context, keyring.seal(owner, CONTEXT, b"x"))


def test_another_owner_does_not_open_it(table: Table, service: FakeKms, owner: str) -> None:
    keyring = ring(table, service)
    stranger = str(uuid.uuid4())
    keyring.seal(stranger, CONTEXT, b"y")
    with pytest.raises(CannotOpen):
        keyring.open(stranger, CONTEXT, keyring.seal(owner, CONTEXT, b"x"))


def test_no_flipped_bit_and_no_cut_opens(table: Table, service: FakeKms, owner: str) -> None:
    keyring = ring(table, service)
    sealed = keyring.seal(owner, CONTEXT, b"x")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(CannotOpen):
            keyring.open(owner, CONTEXT, bytes(changed))
        with pytest.raises(CannotOpen):
            keyring.open(owner, CONTEXT, sealed[:position])


def test_a_data_key_wrapped_for_one_owner_is_refused_for_another(table: Table, service: FakeKms, owner: str) -> None:
    stranger = str(uuid.uuid4())
    ring(table, service).seal(owner, CONTEXT, b"x")
    stolen = table.get(f"KEYS#test#{owner}", "seal#000001")
    assert stolen is not None
    table.put({**stolen, "pk": f"KEYS#test#{stranger}"})
    with pytest.raises(WrongCiphertext):
        ring(table, service).seal(stranger, CONTEXT, b"x")


def test_a_rotation_keeps_old_records_readable_and_seals_new_ones_with_the_new_key(
    table: Table, service: FakeKms, owner: str
) -> None:
    keyring = ring(table, service)
    old = keyring.seal(owner, CONTEXT, b"old")
    assert keyring.rotate(owner) == 2
    new = keyring.seal(owner, CONTEXT, b"new")
    assert (old[1:5], new[1:5]) == ((1).to_bytes(4, "big"), (2).to_bytes(4, "big"))
    fresh = ring(table, service)
    assert (fresh.open(owner, CONTEXT, old), fresh.open(owner, CONTEXT, new)) == (b"old", b"new")


def test_a_rotation_does_not_change_digests(table: Table, service: FakeKms, owner: str) -> None:
    keyring = ring(table, service)
    before = keyring.digest(owner, "fingerprint", b"4242424242424242")
    keyring.rotate(owner)
    assert ring(table, service).digest(owner, "fingerprint", b"4242424242424242") == before


def test_digests_differ_by_owner_and_domain(table: Table, service: FakeKms, owner: str) -> None:
    keyring = ring(table, service)
    made = {
        keyring.digest(owner, "a", b"x"),
        keyring.digest(owner, "b", b"x"),
        keyring.digest(str(uuid.uuid4()), "a", b"x"),
    }
    assert len(made) == 3


def test_rewrapping_follows_a_change_of_the_key_material(table: Table, service: FakeKms, owner: str) -> None:
    keyring = ring(table, service)
    sealed = keyring.seal(owner, CONTEXT, b"x")
    keyring.digest(owner, "a", b"x")
    service.rotate_material()
    assert keyring.rewrap(owner) == 2
    row = table.get(f"KEYS#test#{owner}", "seal#000001")
    assert row is not None
    assert row["wrapped"][0] == 1
    assert ring(table, service).open(owner, CONTEXT, sealed) == b"x"


def test_writers_who_meet_at_the_first_key_agree_on_one(table: Table, service: FakeKms, owner: str) -> None:
    rings = [ring(table, service) for _ in range(12)]
    with ThreadPoolExecutor(12) as pool:
        digests = set(pool.map(lambda keyring: keyring.digest(owner, "a", b"x"), rings))
        sealed = list(pool.map(lambda keyring: keyring.seal(owner, CONTEXT, b"x"), rings))
    assert len(digests) == 1
    assert {ring(table, service).open(owner, CONTEXT, each) for each in sealed} == {b"x"}


def test_keys_in_clear_are_kept_for_minutes_only(table: Table, service: FakeKms, owner: str) -> None:
    ticks = Ticks()
    keyring = ring(table, service, ticks)
    sealed = keyring.seal(owner, CONTEXT, b"x")
    service.calls.clear()
    keyring.open(owner, CONTEXT, sealed)
    assert service.calls == []
    ticks.now = CACHE_SECONDS + 1
    keyring.open(owner, CONTEXT, sealed)
    assert service.calls == ["decrypt"]
