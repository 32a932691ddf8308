"""Reference data through the door that serves it."""

from __future__ import annotations

from typing import Any

import pytest

from payments.access.handler import handler
from payments.engine import catalogue, statics
from payments.engine.declarations import Resource, inner_type
from payments.engine.faults import Faults
from payments.engine.fields import Link, Many
from payments.gateway.handler import handler as gateway
from payments.resources.reference_data import BY_CODE, BY_ID
from tests.payments.conftest import MakeTenant
from tests.support.payments import Merchant
from tollgate.countries import ALPHA2
from tollgate.currencies import EXPONENTS
from tools.reference_data import payments as generator


@pytest.fixture
def merchant(make_tenant: MakeTenant) -> Merchant:
    return make_tenant(handler)


def get(merchant: Merchant, path: str) -> Any:
    door = gateway if path.startswith("/payment/") else handler
    answer = merchant.call(door, "GET", path, space=None)
    assert answer.status == 200, (path, answer.body)
    return answer.json


def test_lists_are_whole(merchant: Merchant) -> None:
    countries = get(merchant, "/countries")
    assert {each["isoCode2"] for each in countries["data"]} == ALPHA2
    assert countries["hasMore"] is False
    currencies = get(merchant, "/currencies")["data"]
    assert {each["currencyCode"]: each["fractionDigits"] for each in currencies} == EXPONENTS
    assert len(get(merchant, "/languages")["data"]) > 60
    assert "id" not in countries["data"][0]


def test_reads_by_code(merchant: Merchant) -> None:
    swiss = get(merchant, "/countries/CH")
    assert (swiss["isoCode3"], swiss["numericCode"]) == ("CHE", "756")
    assert get(merchant, "/currencies/JPY")["fractionDigits"] == 0
    assert get(merchant, "/languages/de-CH")["primaryOfGroup"] is False
    assert get(merchant, "/countries/states/US-CA")["name"] == "California"
    states = get(merchant, "/countries/CH/states")["data"]
    assert [each["id"] for each in states] == swiss["stateCodes"]
    assert get(merchant, "/countries/FR/states")["data"] == []


@pytest.mark.parametrize(
    "path", ["/countries/ch", "/countries/XX", "/countries/XX/states", "/countries/states/US-XX", "/currencies/eur"]
)
def test_unknown_codes_are_not_found(merchant: Merchant, path: str) -> None:
    assert merchant.call(None, "GET", path, space=None).status == 404


def test_searches(merchant: Merchant) -> None:
    found = get(merchant, "/countries/search?query=isoCode3:che")["data"]
    assert [each["isoCode2"] for each in found] == ["CH"]
    found = get(merchant, "/currencies/search?query=fractionDigits:%3E2&order=currencyCode:DESC&limit=2")
    assert [each["currencyCode"] for each in found["data"]] == ["UYW", "TND"]
    assert found["hasMore"] is True
    page = get(merchant, "/payment/method-brands/search?query=name.en-US:~AMERICAN")["data"]
    assert [each["name"]["en-US"] for each in page] == ["American Express"]


@pytest.mark.parametrize("resource", BY_ID, ids=lambda resource: resource.name)
def test_every_kind_lists_reads_searches_and_expands(merchant: Merchant, resource: Resource) -> None:
    rows = get(merchant, f"{resource.path}?limit=100")["data"]
    assert rows
    assert get(merchant, f"{resource.path}?order=DESC&limit=1")["data"] == rows[-1:]
    one = rows[0]
    assert get(merchant, f"{resource.path}/{one['id']}") == one
    assert get(merchant, f"{resource.path}/search?query=id:{one['id']}")["data"] == [one]
    assert merchant.call(None, "GET", f"{resource.path}/1", space=None).status == 404
    for field in resource.fields:
        if field.can_expand and field.name in one:
            expanded = get(merchant, f"{resource.path}/{one['id']}?expand={field.name}")[field.name]
            assert expanded == one[field.name] == [] or "id" in str(expanded)


def test_objects_are_what_their_declarations_say() -> None:
    """Every object of every file has the types declared, and every link leads somewhere."""
    catalogue.find("PaymentMethod")
    declared = [each for each in catalogue._declared.values() if each.data]
    assert len(declared) > 20
    for resource in declared:
        for entity in statics.objects_of(resource).values():
            faults = Faults()
            resource.shape.read(entity.values, "", faults)
            faults.raise_types()
            faults.raise_rules()
            assert entity.values.keys() <= resource.by_name.keys(), resource.name
            _check_links(resource, entity.values)


def _check_links(resource: Resource, values: dict[str, Any]) -> None:
    for field in resource.fields:
        inner = inner_type(field.type)
        if isinstance(inner, Link) and values.get(field.name):
            target = catalogue.find(inner.target)
            assert target is not None
            linked = values[field.name] if isinstance(field.type, Many) else [values[field.name]]
            assert all(each["id"] in statics.objects_of(target) for each in linked)


def test_tables_are_as_generated() -> None:
    assert generator.main(["--check"]) == 0


def test_codes_are_unique() -> None:
    for resource in BY_CODE:
        name = resource.fields[0].name
        rows = [entity.values[name] for entity in statics.objects_of(resource).values()]
        assert len(rows) == len(set(rows))
