"""Searching: the hard cases of types, nulls, paths and order, and that plans change the cost and never the answer."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments.engine import grammar, predicates
from payments.engine.errors import BadParameters, OffsetTooLarge, QueryTooBroad
from payments.engine.models import Context
from payments.engine.service import ResourceService
from tests.payments.engine.shop import ITEM, Shop, counted_calls, read_parameters


@pytest.fixture(scope="module")
def shop() -> Shop:
    """Six items: a to e with something in each property, and f with a name alone."""
    made = Shop()
    acme, other = made.maker(name="Acme"), made.maker(name="Müller & Söhne")
    rows: list[dict[str, Any]] = [
        {
            "reference": "R1",
            "state": "PENDING",
            "quantity": 2,
            "price": Decimal("10.00"),
            "sold": True,
            "colors": ["red"],
        },
        {
            "reference": "r1",
            "state": "ACTIVE",
            "quantity": 3,
            "price": Decimal("2.5"),
            "colors": ["red", "blue", "green"],
        },
        {"reference": "R2", "state": "ACTIVE", "quantity": 10, "soldOn": "2026-01-15T00:00:00Z", "maker": acme.id},
        {"reference": "R3", "quantity": 11, "soldOn": "2026-01-14T23:59:59.999Z", "maker": other.id},
        {"big": 2**63 - 1, "soldOn": "2024-02-29T12:00:00+02:00", "metaData": {"a.b": "x", "c": "Yes"}, "sold": False},
        {},
    ]
    for name, row in zip("abcdef", rows, strict=True):
        made.item(name=name, **row)
    made.item(
        name="g", reference="MÜLLER straße", lines=[{"name": "Blue 50%", "amount": 3}, {"name": "Red_pen"}],
        names={"de": "Stift"}, makers=[acme.id, other.id], secretKey="hush",
    )  # fmt: skip
    return made


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "abcdefg"),
        ("reference:R1", "ab"),
        ("reference=r1", "ab"),
        ('reference:"müller STRASSE"', "g"),
        ('reference:"müller STRAßE"', "g"),
        ("state:active", "bc"),
        ("state:PENDING OR state:ACTIVE", "abc"),
        ("state:ACTIVE AND (reference:R1 OR reference:R2)", "bc"),
        ("quantity:>2 quantity:<=10", "bc"),
        ("quantity:>2", "bcd"),
        ("-quantity:>2", "aefg"),
        ("quantity:3", "b"),
        ("quantity:3.0", "b"),
        ("quantity:3e0", "b"),
        ("price:10", "a"),
        ("price:10.000", "a"),
        ("price:>2.4 price:<3", "b"),
        ("price:2.5", "b"),
        ("big:9223372036854775807", "e"),
        ("big:>9223372036854775806", "e"),
        ("sold:true", "a"),
        ("sold:False", "e"),
        ("NOT sold:true", "bcdefg"),
        ("NOT state:ACTIVE", "adefg"),
        ("state:*", "defg"),
        ("-state:*", "abc"),
        ("maker:*", "abefg"),
        ("maker.name:*", "abefg"),
        ("maker.name:acme", "c"),
        ("maker.name:~MÜLLER", "d"),
        ("NOT maker.name:acme", "abdefg"),
        ("maker.rival.name:x", ""),
        ("maker.rival.name:*", "abcdefg"),
        ("makers.name:acme", "g"),
        ("colors:red", "ab"),
        ("colors:~red,blue,green", "b"),
        ("colors:~green,RED", "b"),
        ("colors:~re", ""),
        ("colors:*", "cdefg"),
        ("lines.name:~50%", "g"),
        ("lines.name:~d_p", "g"),
        ("lines.name:~.", ""),
        ("lines.amount:>=3", "g"),
        ("lines.name:~blue,pen", "g"),
        ("soldOn:2026-01-15", "c"),
        ("soldOn:<2026-01-15", "de"),
        ("soldOn:>=2026-01-15", "c"),
        ("soldOn:>2026-01-14", "c"),
        ("soldOn:<='2026-01-14'", "de"),
        ("soldOn:2024-02-29", "e"),
        ("soldOn:'2024-02-29T10:00:00Z'", "e"),
        ("soldOn:'2024-02-29T10:00:00'", "e"),
        ("soldOn:>'2026-01-14T23:59:59.998Z'", "cd"),
        ("metaData.c:yes", "e"),
        ("metaData.a.b:x", "e"),
        ("metaData:*", "abcdfg"),
        ("names.de:stift", "g"),
        ("name:~A", "a"),
        ('name:""', ""),
        ("lines:*", "abcdef"),
        ("id:>0 id:<1", ""),
        ("id:1.5", ""),
        ("id:-1", ""),
        ("createdOn:>2020-01-01", "abcdefg"),
        ("createdOn:<2020-01-01", ""),
        ("createdOn:*", ""),
    ],
)
def test_finds(shop: Shop, query: str, names: str) -> None:
    assert "".join(shop.names(query)) == names


def test_goes_by_ids(shop: Shop) -> None:
    everything = {entity.values["name"]: entity.id for entity in shop.search().entities}
    a, c, d = everything["a"], everything["c"], everything["d"]
    assert shop.names(f"id:{a} OR id:{c}") == ["a", "c"]
    assert shop.names(f"id:{c} OR id:{a}", order="id:DESC") == ["c", "a"]
    assert shop.names(f"id:>{a} id:<={d} AND -id:{c}") == ["b", "d"]
    assert shop.names(f'reference:"MÜLLER STRASSE" OR id:{a}') == ["a", "g"]
    acme = shop.search("name:c").entities[0].link("maker")
    assert shop.names(f"maker:{acme}") == shop.names(f"maker.id:{acme}") == ["c"]
    assert shop.names(f"makers.id:{acme}") == shop.names(f"makers:~{acme}") == ["g"]


@pytest.mark.parametrize(
    "query",
    [
        "nothing:1", "Name:a", "name.x:1", "maker.nothing:1", "secretKey:hush", "secretKey:~h", "secretKey:*",
        "maker.rival.rival.rival.rival.name:x", "metaData:x", "lines:x", "names:x", "quantity:x", "quantity:NaN",
        "quantity:Infinity", "quantity:1e999999999", "quantity:~1", "sold:yes", "sold:1", "sold:>true", "name:<a",
        "state:>ACTIVE", "state:DONE", "soldOn:2026-02-30", "soldOn:2025-02-29", "soldOn:soon", "soldOn:~2026",
        "colors:~red,", "colors:~,red", "name:~a,,b", "id:x", "createdOn:x", "name..x:1", ".name:1", "quantity:1_0",
        "quantity:٣", "price:0x10",
    ],
)  # fmt: skip
def test_refuses(shop: Shop, query: str) -> None:
    with pytest.raises(BadParameters) as refused:
        shop.search(query)
    assert refused.value.code == "query_invalid"
    assert refused.value.faults[0].path == "query"
    assert refused.value.faults[0].message.startswith("column 1: ")


def test_does_not_look_where_the_caller_may_not_read(shop: Shop) -> None:
    context = Context(shop.context.place, 1, "tenant", lambda permission: permission != "testMaker.read")
    service = ResourceService(ITEM, shop.objects)
    asked = {"query": "maker.name:acme", "order": "", "offset": 0, "limit": 10}
    with pytest.raises(BadParameters):
        service.search(context, asked)
    with pytest.raises(BadParameters):
        service.search(context, {**asked, "query": "", "order": "maker.name"})
    assert service.search(context, {**asked, "query": "-maker:*"}).entities


class TestOrder:
    @pytest.mark.parametrize(
        ("order", "names"),
        [
            ("id", "abcdefg"),
            ("id:DESC", "gfedcba"),
            ("createdOn:DESC", "gfedcba"),
            ("name:DESC", "gfedcba"),
            ("quantity", "abcdefg"),
            ("quantity:DESC", "efgdcba"),
            ("price", "bacdefg"),
            ("state name:DESC", "cbagfed"),
            ("state:ASC id:DESC", "cbagfed"),
            (" state   name ", "bcadefg"),
            ("maker.name", "cdabefg"),
            ("maker.id:DESC", "abefgdc"),
            ("sold", "eabcdfg"),
            ("soldOn", "edcabfg"),
        ],
    )
    def test_stands(self, shop: Shop, order: str, names: str) -> None:
        assert "".join(shop.names(order=order)) == names

    @pytest.mark.parametrize(
        "order",
        ["name:", ":ASC", "name:asc", "name:UP", "name name:DESC", "nothing", "name,price", "colors", "lines.name",
         "metaData", "secretKey", "name+price", "makers.name", " ".join(["name"] * 9)],
    )  # fmt: skip
    def test_refuses(self, shop: Shop, order: str) -> None:
        with pytest.raises(BadParameters) as refused:
            shop.search(order=order)
        assert refused.value.faults[0].path == "order"

    def test_pages_through_any_order(self, shop: Shop) -> None:
        for order in ("", "id:DESC", "name:DESC", "price"):
            whole = shop.names(order=order)
            pages = [shop.names(order=order, offset=n, limit=2) for n in range(0, 8, 2)]
            assert list(itertools.chain(*pages)) == whole


class TestPaging:
    def test_has_more_is_exact(self, shop: Shop) -> None:
        assert shop.search(limit=7).has_more is False
        assert shop.search(limit=6).has_more is True
        assert shop.search("state:ACTIVE", limit=2).has_more is False
        assert shop.search("state:ACTIVE", limit=1).has_more is True
        assert shop.search("state:ACTIVE name:~b", limit=1).has_more is False
        assert shop.search(order="price", limit=6).has_more is True
        assert shop.search(offset=7).entities == []
        assert shop.names("state:ACTIVE", offset=1) == ["c"]
        assert shop.names("quantity:>2", offset=1, limit=1) == ["c"]

    @pytest.mark.parametrize(
        "raw",
        ["limit=0", "limit=-1", "limit=101", "limit=1e2", "limit=+10", "limit=%2010", "limit=10&limit=10", "offset=-1",
         "offset=x", "offset=9999999999999999999999", "limit=%zz", "query=%ff", "query=%c0%af", "offset=1&offset=1"],
    )  # fmt: skip
    def test_refuses_parameters(self, raw: str) -> None:
        with pytest.raises(BadParameters):
            read_parameters(raw, search=True)

    def test_takes_parameters(self) -> None:
        asked = read_parameters("limit=&offset=&order=&query=&after=x", search=True)
        assert (asked["limit"], asked["offset"], asked["order"], asked["query"]) == (10, 0, "", "")
        asked = read_parameters("limit=100&offset=10000&order=a+b%20c&query=a:%2B", search=True)
        assert (asked["offset"], asked["order"], asked["query"]) == (10_000, "a b c", "a:+")
        for offset in (10_001, 2**31, 2**63 - 1):
            with pytest.raises(OffsetTooLarge):
                read_parameters(f"offset={offset}", search=True)


class TestWork:
    def test_round_trips(self, shop: Shop) -> None:
        for query, expected in {
            "": ["Query"],
            "reference:R1": ["Query", "BatchGetItem"],
            "state:ACTIVE name:b": ["Query", "BatchGetItem"],
            "id:1 OR id:2": ["BatchGetItem"],
            "name:b": ["Query"],
            "maker.name:acme": ["Query", "BatchGetItem"],
        }.items():
            with counted_calls() as calls:
                shop.search(query)
            assert calls == expected, query

    def test_is_bounded_and_says_what_to_add(self) -> None:
        small = Shop(most_examined=20, most_ordered=10)
        for n in range(30):
            small.item(name=f"n{n}", reference="same" if n < 15 else f"r{n}", quantity=n)
        with pytest.raises(QueryTooBroad) as refused:
            small.search("name:n29")
        assert refused.value.code == "query_too_broad"
        assert "20" in refused.value.faults[0].message
        assert "reference" in refused.value.faults[0].message
        assert small.names("name:n14 reference:same") == ["n14"]
        assert len(small.names("reference:same")) == 15
        assert len(small.names(limit=30)) == 30
        with pytest.raises(QueryTooBroad):
            small.search(order="name")
        with pytest.raises(QueryTooBroad):
            small.search("reference:same", order="name")
        assert small.names("reference:same quantity:<5", order="quantity:DESC") == ["n4", "n3", "n2", "n1", "n0"]

    def test_follows_a_changed_object(self, shop: Shop) -> None:
        made = shop.item(name="z", reference="first", colors=["x", "y"])
        shop.items.update(shop.context, made, {"version": 1, "reference": "second", "colors": ["y"]})
        assert shop.names("reference:first") == shop.names("colors:x") == []
        assert shop.names("reference:second colors:y") == ["z"]
        shop.objects.remove(transaction := shop.objects.begin(), shop.items.read(shop.context, made.id))
        transaction.commit()
        assert shop.names("reference:second") == shop.names("colors:y") == []


TERMS = st.sampled_from(
    (
        *("reference:R1", "reference:R2", "state:ACTIVE", "state:*", "quantity:>2", "quantity:3", "price:<5"),
        *("sold:true", "colors:red", "colors:~red,blue", "maker.name:acme", "name:~a", "id:>0", "soldOn:*"),
        "createdOn:>2020-01-01",
    )
)


@st.composite
def queries(draw: st.DrawFn, depth: int = 2) -> str:
    """A query of known terms."""
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from(["", "-", "NOT "])) + draw(TERMS)
    parts = draw(st.lists(queries(depth - 1), min_size=1, max_size=3))
    return draw(st.sampled_from(["", "-"])) + "(" + draw(st.sampled_from([" AND ", " OR ", " "])).join(parts) + ")"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(queries(), st.sampled_from(["", "id:DESC", "name", "price:DESC"]), st.integers(0, 3), st.integers(1, 4))
def test_every_plan_gives_what_looking_at_everything_gives(
    shop: Shop, query: str, order: str, offset: int, limit: int
) -> None:
    everything = shop.search(order=order).entities
    node = grammar.parse(query)
    assert node is not None
    predicate = predicates.compiled(node, ITEM, lambda _: True)
    makers = {("testMaker", each.id): each for each in shop.makers.search(shop.context, MAKERS).entities}
    expected = [each.id for each in everything if predicate.holds(each.values, makers)]
    found = shop.search(query, order, offset, limit)
    assert [each.id for each in found.entities] == expected[offset : offset + limit]
    assert found.has_more == (len(expected) > offset + limit)


MAKERS = {"query": "", "order": "", "offset": 0, "limit": 100}
