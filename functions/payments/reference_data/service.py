"""Reading reference data that is named by codes: countries, their states, currencies, languages. All of it is short."""

from __future__ import annotations

from payments.engine import statics
from payments.engine.declarations import Resource
from payments.engine.errors import ObjectNotFound
from payments.engine.models import Entity
from payments.resources.reference_data import COUNTRY, COUNTRY_STATE, CURRENCY, LANGUAGE

CODES = {COUNTRY: "isoCode2", COUNTRY_STATE: "id", CURRENCY: "currencyCode", LANGUAGE: "ietfCode"}
"""The property that names an object."""


def everything(resource: Resource) -> list[Entity]:
    """All objects, in the order of their codes."""
    return list(statics.objects_of(resource).values())


def by_code(resource: Resource, code: str) -> Entity:
    """The object of this code, as it is written.

    Raises:
        ObjectNotFound: there is none.
    """
    name = CODES[resource]
    for entity in statics.objects_of(resource).values():
        if entity.values[name] == code:
            return entity
    raise ObjectNotFound


def states_of(code: str) -> list[Entity]:
    """The states that addresses in a country name; none where they name none.

    Raises:
        ObjectNotFound: there is no such country.
    """
    by_code(COUNTRY, code)
    return [each for each in everything(COUNTRY_STATE) if each.values["countryCode"] == code]
