"""Reminding of invoices that are not paid: flows of levels, and the case of each invoice (fact file 2.14, 2.15)."""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import CREATED_ON, ID, PURGE_DATE, SPACE_ID, VERSION, Resource
from payments.engine.fields import LOCALIZED, CountryCode, Field, Link, Long, Many, Moment, OneOf, Text, int32

_STATE: Final = Field("state", OneOf.of("CREATE ACTIVE INACTIVE DELETING DELETED"))
_NAME: Final = Field("name", Text(100))
_PRIORITY: Final = Field("priority", int32())

DUNNING_FLOW_TYPE: Final = Resource(
    name="DunningFlowType",
    path="/-/dunning_flow_types",
    scope="global",
    data="dunning_flow_types",
    fields=(ID, Field("name", LOCALIZED), Field("description", LOCALIZED), Field("specificCountry", CountryCode())),
    listable=False,
    searchable=False,
)

DUNNING_FLOW: Final = Resource(
    name="DunningFlow",
    path="/payment/dunning-flows",
    tag="DunningFlows",
    permission="dunning",
    fields=(
        ID, VERSION, SPACE_ID, PURGE_DATE, _NAME, _STATE, _PRIORITY,
        Field("conditions", Many(Long(1), most=50)),
        Field("type", Link("DunningFlowType")),
    ),
    indexed=("state",),
    unique=("name",),
)  # fmt: skip

DUNNING_FLOW_LEVEL: Final = Resource(
    name="DunningFlowLevel",
    path="/payment/dunning-flows/levels",
    tag="DunningFlowLevels",
    permission="dunning",
    fields=(
        ID, VERSION, SPACE_ID, PURGE_DATE, _NAME, _STATE, _PRIORITY,
        Field("documentText", LOCALIZED),
        Field("flow", Link("DunningFlow")),
        Field("period", Text(20), description="How long the level lasts, as ISO 8601 has it"),
        Field("processor", Long(1)),
        Field("reminderTemplate", Link("DocumentTemplate")),
        Field("title", LOCALIZED),
    ),
    indexed=("flow", "state"),
)  # fmt: skip

DUNNING_CASE: Final = Resource(
    name="DunningCase",
    path="/payment/dunning-cases",
    tag="DunningCases",
    permission="dunning",
    fields=(
        ID, VERSION, CREATED_ON, SPACE_ID, PURGE_DATE,
        Field("canceledOn", Moment()),
        Field("derecognizedOn", Moment()),
        Field("failedOn", Moment()),
        Field("flow", Link("DunningFlow")),
        Field("initialInvoice", Link("TransactionInvoice")),
        Field("linkedTransaction", Long(1)),
        Field("state", OneOf.of("RUNNING SUSPENDED CANCELED DERECOGNIZED FAILED SUCCEEDED")),
        Field("succeededOn", Moment()),
    ),
    indexed=("initialInvoice", "linkedTransaction", "flow", "state"),
    unique=("initialInvoice",),
)  # fmt: skip

catalogue.declare(DUNNING_FLOW_TYPE, DUNNING_FLOW, DUNNING_FLOW_LEVEL, DUNNING_CASE)
