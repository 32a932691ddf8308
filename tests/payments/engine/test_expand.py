"""Expansion: names, depth, cycles, what stays collapsed, and that it costs one batch a level."""

from __future__ import annotations

from typing import Any

import pytest

from payments.engine import expansion
from payments.engine.errors import BadParameters
from payments.engine.expansion import Expander
from payments.engine.models import Context
from tests.payments.engine.shop import ITEM, Shop, counted_calls


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


def test_collapsed_links_and_hidden_properties_are_the_default(shop: Shop) -> None:
    maker = shop.maker(name="Acme")
    made = shop.item(maker=maker.id, makers=[{"id": maker.id}], metaData={"a": "b"}, labels=["x"], secretKey="hush")
    shown = shop.shown(made)
    assert shown["maker"] == {"id": maker.id}
    assert shown["makers"] == [{"id": maker.id}]
    assert not {"metaData", "labels", "secretKey"} & shown.keys()
    assert shop.shown(made, "metaData", "labels")["metaData"] == {"a": "b"}
    assert shop.shown(made, "maker")["maker"] == {"id": maker.id, "version": 1, "name": "Acme"}
    assert shop.shown(made) == shown


def test_goes_through_links_lists_and_embedded_values(shop: Shop) -> None:
    rival = shop.maker(name="Rival")
    maker = shop.maker(name="Acme", rival=rival.id)
    made = shop.item(maker=maker.id, makers=[maker.id, rival.id], lines=[{"name": "l", "maker": maker.id}])
    shown = shop.shown(made, "maker.rival,makers", "lines.maker.rival")
    assert shown["maker"]["rival"]["name"] == "Rival"
    assert [each["name"] for each in shown["makers"]] == ["Acme", "Rival"]
    assert shown["lines"][0]["maker"]["rival"]["name"] == "Rival"
    assert shown["makers"][0]["rival"] == {"id": rival.id}
    assert shop.shown(made, "makers.rival")["makers"][0]["rival"]["name"] == "Rival"
    assert shop.shown(made, "lines") == shop.shown(made)


def test_ends_with_the_depth_and_not_in_a_circle(shop: Shop) -> None:
    one = shop.maker(name="one")
    two = shop.maker(name="two", rival=one.id)
    change = shop.makers.change_of(shop.context, one)
    change.values["rival"] = {"id": two.id}
    shop.makers.commit(change)
    made = shop.item(maker=two.id)
    shown = shop.shown(made, "maker.rival.rival.rival")["maker"]
    names = []
    while "name" in shown:
        names.append(shown["name"])
        shown = shown["rival"]
    assert names == ["two", "one", "two", "one"]
    assert shown == {"id": two.id}


def test_leaves_alone_what_is_not_there_or_not_for_the_caller(shop: Shop) -> None:
    gone, kept = shop.maker(name="gone"), shop.maker(name="kept")
    made = shop.item(maker=gone.id, makers=[gone.id, kept.id])
    shop.makers.delete(shop.context, gone.id)
    shown = shop.shown(made, "maker", "makers")
    assert shown["maker"] == {"id": gone.id}
    assert [each.get("name") for each in shown["makers"]] == [None, "kept"]
    assert "maker" not in shop.shown(shop.item(name="x"), "maker")
    blind = Context(shop.context.place, 1, "tenant", lambda permission: permission != "testMaker.read")
    tree = expansion.parse(["maker,makers"], ITEM)
    assert Expander(shop.objects, blind).answer(made, tree)["makers"] == [{"id": gone.id}, {"id": kept.id}]
    elsewhere = Shop()
    assert Expander(elsewhere.objects, elsewhere.context).answer(made, tree)["maker"] == {"id": gone.id}


def test_costs_one_batch_a_level_whatever_the_number(shop: Shop) -> None:
    rivals = [shop.maker(name=f"r{n}") for n in range(40)]
    makers = [shop.maker(name=f"m{n}", rival=rivals[n % 40].id) for n in range(60)]
    made = [shop.item(maker=makers[n % 60].id, makers=[makers[0].id]) for n in range(100)]
    tree = expansion.parse(["maker.rival", "makers.rival"], ITEM)
    with counted_calls() as calls:
        page = shop.page(limit=100, after=made[0].id - 1)
        shown = Expander(shop.objects, shop.context).answers(page.entities, tree)
    assert calls == ["Query", "BatchGetItem", "BatchGetItem"]
    assert len(shown) == 100
    assert all(each["maker"]["rival"]["name"].startswith("r") for each in shown)


@pytest.mark.parametrize(
    ("texts", "tree"),
    [
        ([], {}),
        (["", ""], {}),
        (["maker,metaData"], {"maker": {}, "metaData": {}}),
        (["maker", "metaData", "maker"], {"maker": {}, "metaData": {}}),
        (["maker.rival", "maker"], {"maker": {"rival": {}}}),
        (["maker,maker.rival"], {"maker": {"rival": {}}}),
        (["maker, metaData"], {"maker": {}, "metaData": {}}),
        (["maker.rival.rival.rival"], {"maker": {"rival": {"rival": {"rival": {}}}}}),
    ],
)
def test_reads_names(texts: list[str], tree: dict[str, Any]) -> None:
    assert expansion.parse(texts, ITEM) == tree


@pytest.mark.parametrize(
    "text",
    ["id", "name", "nothing", "maker.name", "maker.nothing", "a..b", ".maker", "maker.", "maker,", ",", "maker,,labels",
     "maker.rival.rival.rival.rival", "colors", "secretKey", "metaData.a", "names", "lines.name", "labels.x",
     ",".join(["maker"] * 101)],
)  # fmt: skip
def test_refuses_names(text: str) -> None:
    with pytest.raises(BadParameters) as refused:
        expansion.parse([text], ITEM)
    assert refused.value.faults[0].path == "expand"
