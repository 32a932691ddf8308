"""The templates of a space: one per type of document, made with the space."""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.repository import Objects
from payments.engine.statics import objects_of
from payments.resources.documents import DOCUMENT_TEMPLATE
from payments.units import new_entity
from tollgate.store.transaction import Transaction

_RESOURCE: Final = "templates/standard"


def add_templates(objects: Objects, transaction: Transaction, space_id: int) -> None:
    """Give a new space its templates, in the write that makes it."""
    types = catalogue.find("DocumentTemplateType")
    if types is None:
        raise LookupError("DocumentTemplateType is not declared")
    for each in objects_of(types).values():
        values = {
            "defaultTemplate": True, "deliveryEnabled": False, "name": each.values["title"]["en-US"],
            "spaceId": space_id, "state": "ACTIVE", "templateResource": _RESOURCE, "type": {"id": each.id},
        }  # fmt: skip
        objects.insert(transaction, new_entity(DOCUMENT_TEMPLATE, f"S{space_id}", values))
