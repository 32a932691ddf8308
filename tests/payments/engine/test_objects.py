"""Objects of the engine: lists both ways, external ids, links, exact numbers, deletion, deaths in the middle."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.engine import documents
from payments.engine.errors import BadParameters, ExternalIdReused, ObjectNotFound, VersionConflict
from payments.engine.faults import BadBody
from payments.engine.models import Entity
from payments.engine.service import Change, Hooks, ResourceService
from tests.payments.engine.shop import ITEM, Shop, counted_calls, read_parameters
from tests.support.environment import variables
from tests.support.faults import deaths
from tests.support.tables import items
from tollgate import aws, ids
from tollgate.errors import Failure, Invalid, TooLarge


@pytest.fixture(scope="module")
def listed() -> tuple[Shop, list[int]]:
    shop = Shop()
    return shop, [shop.item(name=str(n)).id for n in range(25)]


def numbers(shop: Shop, **asked: Any) -> tuple[list[int], bool]:
    page = shop.page(**asked)
    return [entity.id for entity in page.entities], page.has_more


class TestLists:
    def test_first_ten_in_the_order_of_creation(self, listed: tuple[Shop, list[int]]) -> None:
        shop, made = listed
        assert numbers(shop) == (made[:10], True)
        assert numbers(shop, order=True) == (made[:-11:-1], True)
        assert numbers(shop, limit=25) == (made, False)
        assert numbers(shop, limit=24) == (made[:24], True)

    def test_after_and_before(self, listed: tuple[Shop, list[int]]) -> None:
        shop, made = listed
        assert numbers(shop, after=made[4], limit=3) == (made[5:8], True)
        assert numbers(shop, before=made[20], limit=3) == (made[17:20], True)
        assert numbers(shop, after=made[4], limit=3, order=True) == (made[3:0:-1], True)
        assert numbers(shop, before=made[20], limit=3, order=True) == (made[23:20:-1], True)
        assert numbers(shop, after=made[2], before=made[6]) == (made[3:6], False)
        assert numbers(shop, after=made[6], before=made[2], order=True) == (made[5:2:-1], False)

    def test_edges(self, listed: tuple[Shop, list[int]]) -> None:
        shop, made = listed
        assert numbers(shop, after=made[-1]) == numbers(shop, before=made[0]) == ([], False)
        assert numbers(shop, after=made[0], order=True) == numbers(shop, before=made[-1], order=True) == ([], False)
        assert (
            numbers(shop, after=made[6], before=made[6]) == numbers(shop, after=made[6], before=made[2]) == ([], False)
        )
        assert numbers(shop, after=2**63 - 1) == ([], False)
        assert numbers(shop, before=2**63 - 1, limit=1) == ([made[-1]], True)
        assert numbers(shop, after=made[4] + 1, limit=1) in [([made[5]], True), ([made[6]], True)]
        assert numbers(shop, before=1) == ([], False)

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("bound", ["after", "before"])
    def test_walking_visits_everything_once(self, listed: tuple[Shop, list[int]], bound: str, descending: bool) -> None:
        shop, made = listed
        in_order = made[::-1] if descending else made
        seen: list[int] = []
        place: dict[str, int] = {} if bound == "after" else {"before": 1 if descending else 2**53}
        for _ in range(20):
            found, has_more = numbers(shop, limit=4, order=descending, **place)
            seen = seen + found if bound == "after" else found + seen
            if not has_more:
                break
            place = {bound: found[-1] if bound == "after" else found[0]}
        assert seen == in_order

    def test_insertion_and_deletion_between_pages_move_nothing(self) -> None:
        shop = Shop()
        made = [shop.maker(name=str(n)).id for n in range(6)]
        asked = {"limit": 3, "before": None, "order": False}
        first = shop.makers.page(shop.context, {**asked, "after": None})
        shop.makers.delete(shop.context, made[2])
        late = shop.maker(name="late").id
        second = shop.makers.page(shop.context, {**asked, "after": first.entities[-1].id})
        assert [each.id for each in second.entities] == made[3:6]
        assert second.has_more is True
        assert [each.id for each in shop.makers.page(shop.context, {**asked, "after": made[5]}).entities] == [late]

    @pytest.mark.parametrize("raw", ["order=id:ASC", "order=asc", "after=0", "before=-1", "after=x", "limit=101"])
    def test_refuses_parameters(self, raw: str) -> None:
        with pytest.raises(BadParameters):
            read_parameters(raw, search=False)
        assert read_parameters("offset=5&query=((&order=", search=False)["order"] is False

    def test_one_query_a_page(self, listed: tuple[Shop, list[int]]) -> None:
        with counted_calls() as calls:
            listed[0].page(limit=20)
        assert calls == ["Query"]


class TestExternalIds:
    def test_the_same_content_is_the_same_object(self) -> None:
        shop = Shop()
        body = {"externalId": "x", "name": "n", "price": Decimal("1.50"), "metaData": {"a": "1", "b": "2"}}
        first = shop.items.create(shop.context, body)
        again = shop.items.create(shop.context, dict(reversed(body.items())) | {"metaData": {"b": "2", "a": "1"}})
        assert (again.entity.id, first.replayed, again.replayed) == (first.entity.id, False, True)
        with pytest.raises(ExternalIdReused):
            shop.item(**{**body, "name": "m"})
        assert shop.item(**{**body, "externalId": "X"}).id != first.entity.id
        other = Shop()
        assert other.item(**{**body, "name": "m"}).id != first.entity.id

    def test_the_replay_shows_the_object_as_it_is(self) -> None:
        shop = Shop()
        made = shop.item(externalId="x", name="n")
        shop.items.update(shop.context, made, {"version": 1, "name": "changed"})
        assert shop.items.create(shop.context, {"externalId": "x", "name": "n"}).entity.values["name"] == "changed"

    def test_of_many_at_once_one_is_made(self) -> None:
        shop = Shop()
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: shop.item(externalId="x", name="n").id, range(16)))
        assert len(set(made)) == 1
        assert [entity.id for entity in shop.search().entities] == made[:1]

    def test_moves_with_a_change(self) -> None:
        shop = Shop()
        made = shop.item(externalId="x")
        shop.items.update(shop.context, made, {"version": 1, "externalId": "y"})
        assert shop.item(externalId="x").id != made.id
        found = shop.objects.by_unique(ITEM, made.scope, "externalId", "y")
        assert found is not None
        assert found.id == made.id


class TestBodies:
    def test_links_have_to_lead_somewhere(self) -> None:
        shop, other = Shop(), Shop()
        foreign = other.maker(name="foreign").id
        for members, path in (
            ({"maker": foreign}, "maker"),
            ({"maker": 2**62}, "maker"),
            ({"maker": -1}, "maker"),
            ({"makers": [foreign]}, "makers[0]"),
            ({"lines": [{}, {"maker": foreign}]}, "lines[1].maker"),
        ):
            with pytest.raises(Invalid) as refused:
                shop.item(**members)
            assert refused.value.faults[0].path == path
        assert shop.search().entities == []
        mine = shop.maker(name="mine").id
        assert shop.item(maker=mine, makers=[mine, mine], lines=[{"maker": mine}]).link("maker") == mine

    def test_numbers_are_exact_both_ways(self) -> None:
        shop = Shop()
        body = json.loads('{"price":0.10000000,"big":9223372036854775807}', parse_float=Decimal)
        made = shop.items.read(shop.context, shop.item(**body).id)
        text = documents.encode(shop.shown(made))
        assert '"price":0.10000000' in text
        assert '"big":9223372036854775807' in text
        assert shop.item(price="12.30").values["price"] == Decimal("12.30")

    @pytest.mark.parametrize(
        ("members", "kind"),
        [
            ({"price": "x"}, BadBody), ({"price": True}, BadBody), ({"price": Decimal("1e19")}, Invalid),
            ({"price": Decimal("0.123456789")}, Invalid), ({"big": 2**63}, Invalid), ({"quantity": 2**31}, Invalid),
            ({"quantity": Decimal("1.5")}, BadBody), ({"sold": "true"}, BadBody), ({"soldOn": "soon"}, Invalid),
            ({"soldOn": 5}, BadBody), ({"colors": "red"}, BadBody), ({"colors": [None]}, BadBody),
            ({"colors": ["x"] * 1001}, Invalid), ({"maker": {"id": "1"}}, BadBody), ({"maker": {}}, BadBody),
            ({"lines": [5]}, BadBody), ({"state": "active"}, Invalid), ({"state": 1}, BadBody),
            ({"name": "x" * 6_100_000}, TooLarge),
        ],
    )  # fmt: skip
    def test_refuses(self, members: dict[str, Any], kind: type[Failure]) -> None:
        shop = Shop()
        with pytest.raises(kind):
            shop.item(**members)
        assert shop.search().entities == []

    @given(st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text() | st.decimals(-1000, 1000, places=5),
        lambda children: st.lists(children) | st.dictionaries(st.text(), children), max_leaves=12,
    ))  # fmt: skip
    def test_documents_come_back_as_they_went(self, value: Any) -> None:
        assert documents.decode(documents.encode(value)) == value


class TestChanges:
    def test_soft_deletion_stays_readable(self) -> None:
        shop = Shop()
        made = shop.item(state="ACTIVE")
        for _ in range(2):
            shop.items.delete(shop.context, made.id)
        gone = shop.items.read(shop.context, made.id)
        assert (gone.state, gone.version) == ("DELETED", 2)
        assert [entity.id for entity in shop.search("state:DELETED").entities] == [made.id]

    def test_a_condition_that_fails_says_what_it_means(self) -> None:
        shop = Shop()
        made = shop.item(state="PENDING")

        class TooLate(Invalid):
            pass

        change = shop.items.change_of(shop.context, made)
        change.values["state"] = "ACTIVE"
        change.condition = "version > :most"
        change.condition_values = {":most": 5}
        change.refusal = lambda _: TooLate()
        with pytest.raises(TooLate):
            shop.items.commit(change)
        assert shop.items.read(shop.context, made.id).state == "PENDING"

    def test_a_version_that_is_past_wins_over_the_condition(self) -> None:
        shop = Shop()
        made = shop.item(name="n")
        shop.items.update(shop.context, made, {"version": 1, "name": "m"})
        with pytest.raises(VersionConflict):
            shop.items.update(shop.context, made, {"version": 1, "name": "o"})
        shop.items.delete(shop.context, made.id)

    def test_attributes_stay_beside_the_document(self) -> None:
        shop = Shop()

        class WithRemainder(Hooks):
            def creating(self, change: Change) -> None:
                change.attributes["remaining"] = 1500

        service = ResourceService(ITEM, shop.objects, WithRemainder())
        made = service.create(shop.context, {"name": "n"}).entity
        after = service.update(shop.context, made, {"version": 1, "name": "m"})
        read = service.read(shop.context, made.id)
        assert read.attributes == after.attributes == {"remaining": 1500}
        assert "remaining" not in shop.shown(read)

    def test_a_taken_id_is_left(self, monkeypatch: pytest.MonkeyPatch) -> None:
        shop = Shop()
        made = shop.item(name="first")
        numbers = iter([made.id, made.id, made.id + 7])
        monkeypatch.setattr(ids, "new_number", lambda _: next(numbers))
        assert shop.item(name="second").id == made.id + 7
        assert shop.items.read(shop.context, made.id).values["name"] == "first"

    def test_hard_deletion_leaves_nothing(self) -> None:
        shop = Shop()
        made = shop.maker(name="x" * 100)
        shop.makers.delete(shop.context, made.id)
        with pytest.raises(ObjectNotFound):
            shop.makers.delete(shop.context, made.id)
        assert rows_of(shop) == []


class TestDeaths:
    """Killed at any call, before or after it: the object is whole with all its rows, or not there at all."""

    def test_of_creations(self) -> None:
        shop = Shop()
        for n, _ in enumerate(deaths(aws.dynamodb(), lambda: shop.item(externalId="same", reference="r", name="n"))):
            assert n < 10
            check(shop)
        assert len(shop.search().entities) == 1

    def test_of_changes(self) -> None:
        shop = Shop()
        made = shop.item(externalId="x", reference="0", colors=["red"])

        def attempt() -> Entity:
            before = shop.items.read(shop.context, made.id)
            body = {
                "version": before.version,
                "reference": str(before.version),
                "colors": ["blue", str(before.version)],
            }
            return shop.items.update(shop.context, before, body)

        for _ in deaths(aws.dynamodb(), attempt):
            check(shop)
        shop.items.delete(shop.context, made.id)
        check(shop)


def check(shop: Shop) -> None:
    """Every row belongs to an object, and every object has the rows of its values."""
    from payments.engine.repository import index_partitions, key

    entities = shop.search().entities
    expected = {(pk, key(entity.id)) for entity in entities for pk in index_partitions(entity)}
    expected |= {(f"S{shop.context.place.space_id}#testItem", key(entity.id)) for entity in entities}
    unique = f"S{shop.context.place.space_id}#testItem#unique#externalId"
    expected |= {(unique, f"={entity.values['externalId']}") for entity in entities if "externalId" in entity.values}
    assert set(rows_of(shop)) == expected


def rows_of(shop: Shop) -> list[tuple[str, str]]:
    rows = items(aws.dynamodb(), variables()["PAYMENTS_TABLE"], f"S{shop.context.place.space_id}#")
    return [(row["pk"]["S"], row["sk"]["S"]) for row in rows]
