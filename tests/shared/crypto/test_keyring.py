"""Sealed records: bound to owner and context, numbered keys, rotation, re-wrapping, two writers of the first key."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.environment import DEPLOYMENT
from tests.support.faults import deaths
from tests.support.keys import FakeKms, WrongCiphertext
from tests.support.tables import items
from tollgate import aws, clock
from tollgate.crypto.keyring import CACHE_SECONDS, CannotOpen, Keyring, number_of
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


def test_rewrapping_leaves_alone_what_was_wrapped_since(
    table: Table, service: FakeKms, owner: str, held_clock: Any
) -> None:
    keyring = ring(table, service)
    keyring.seal(owner, CONTEXT, b"x")
    held_clock.advance(days=1)
    day = clock.iso(clock.now())
    keyring.rotate(owner)
    assert keyring.rewrap(owner, wrapped_before=day) == 1
    assert keyring.rewrap(owner, wrapped_before=day) == 0
    held_clock.advance(days=1)
    assert keyring.rewrap(owner, wrapped_before=clock.iso(clock.now())) == 2


def test_many_who_rewrap_at_once_leave_a_key_that_opens(table: Table, service: FakeKms, owner: str) -> None:
    keyring = ring(table, service)
    sealed = keyring.seal(owner, CONTEXT, b"x")
    service.rotate_material()
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _: ring(table, service).rewrap(owner), range(8)))
    assert sum(counts) >= 1
    assert ring(table, service).open(owner, CONTEXT, sealed) == b"x"


def test_a_record_is_sealed_anew_once_for_each_rotation(table: Table, service: FakeKms, owner: str) -> None:
    keyring = ring(table, service)
    old = keyring.seal(owner, CONTEXT, b"x")
    assert keyring.reseal(owner, CONTEXT, old) is None
    keyring.rotate(owner)
    renewed = keyring.reseal(owner, CONTEXT, old)
    assert renewed is not None
    assert (number_of(old), number_of(renewed)) == (1, 2)
    assert ring(table, service).open(owner, CONTEXT, renewed) == b"x"
    assert keyring.reseal(owner, CONTEXT, renewed) is None


@pytest.mark.parametrize("text", [b"", b"\x01", b"x" * 200])
def test_what_is_no_sealed_record_has_no_number(text: bytes) -> None:
    with pytest.raises(CannotOpen):
        number_of(text)


def test_the_newest_key_is_known_with_its_age(table: Table, service: FakeKms, owner: str, held_clock: Any) -> None:
    keyring = ring(table, service)
    assert keyring.newest(owner) is None
    keyring.digest(owner, "a", b"x")
    assert keyring.newest(owner) is None
    keyring.seal(owner, CONTEXT, b"x")
    assert keyring.newest(owner) == (1, clock.iso(clock.now()))
    held_clock.advance(days=1)
    keyring.rotate(owner)
    assert keyring.newest(owner) == (2, clock.iso(clock.now()))


def test_every_owner_is_found_in_order(table: Table, service: FakeKms) -> None:
    keyring = Keyring(table, Kms(service, "key"), f"owners-{uuid.uuid4()}")
    owners = sorted(str(uuid.uuid4()) for _ in range(7))
    for number, each in enumerate(owners):
        if number % 2:
            keyring.seal(each, CONTEXT, b"x")
        else:
            keyring.digest(each, "a", b"x")
    found: list[str] = []
    while page := keyring.owners(found[-1] if found else "", 3):
        found += page
    assert found == owners


def test_no_key_is_made_whose_owner_is_not_noted(table: Table, service: FakeKms) -> None:
    """A key that upkeep does not find would never be wrapped anew."""
    name = f"deaths-{uuid.uuid4()}"
    for _ in deaths(
        table.client, lambda: Keyring(table, Kms(service, "key"), name).seal(str(uuid.uuid4()), CONTEXT, b"")
    ):
        keyring = Keyring(table, Kms(service, "key"), name)
        noted = set(keyring.owners("", 100))
        keyed = {owner for owner in noted if keyring.newest(owner)}
        rows = items(table.client, table.name, f"KEYS#{name}#")
        assert {row["pk"]["S"].rpartition("#")[2] for row in rows} == keyed
        assert keyed <= noted


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
