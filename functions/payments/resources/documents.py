"""Templates of documents (fact file 2.16, "Documents and manual tasks"): each space has one of every type."""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import ID, PURGE_DATE, SPACE_ID, VERSION, Resource
from payments.engine.fields import Field, Flag, Link, Long, OneOf, Text

DOCUMENT_TEMPLATE: Final = Resource(
    name="DocumentTemplate",
    path="/document-templates",
    tag="DocumentTemplates",
    fields=(
        ID, VERSION, SPACE_ID, PURGE_DATE,
        Field("defaultTemplate", Flag()),
        Field("deliveryEnabled", Flag()),
        Field("name", Text(100)),
        Field("spaceId", Long(1)),
        Field("state", OneOf.of("CREATE ACTIVE INACTIVE DELETING DELETED")),
        Field("templateResource", Text(500)),
        Field("type", Link("DocumentTemplateType")),
    ),
    indexed=("type", "state"),
)  # fmt: skip

catalogue.declare(DOCUMENT_TEMPLATE)
