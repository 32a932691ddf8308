"""How a payment is come back to until somebody pays: flows, their levels, the links that buyers are sent (fact file
2.16, "Charges"). Flows and the configurations of levels are made by operations of ours; the published ones have none.
"""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import CREATED_ON, ID, PURGE_DATE, SPACE_ID, VERSION, Resource
from payments.engine.fields import Field, Link, Long, Many, Moment, OneOf, Shape, Text, int32, pick
from payments.resources.configurations import NAME, STATE

_ROOT: Final = "/payment/charge-flows"
PERIOD: Final = Text(20, pattern=r"P(?=[0-9T])([0-9]{1,2}W)?([0-9]{1,3}D)?(T(?=[0-9])([0-9]{1,3}H)?([0-9]{1,3}M)?)?")
"""A duration of ISO 8601 in weeks, days, hours and minutes."""
DEMONSTRATION_LEVELS: Final = (
    ("Charge the token", 1478100000001, "PT1H"),
    ("Payment link", 1478100000002, "P3D"),
    ("Reminder", 1478100000002, "P4D"),
)
"""Name, type and period of the levels that a new space of a sandbox begins with."""
SETTABLE: Final = Field("state", OneOf.of("CREATE ACTIVE INACTIVE"))

_FLOW: Final = (
    ID, VERSION, SPACE_ID, PURGE_DATE, NAME, STATE,
    Field("conditions", Many(Link("Condition"), most=50), hidden=True),
    Field("priority", int32()),
)  # fmt: skip

CHARGE_FLOW: Final = Resource(
    name="ChargeFlow",
    path=_ROOT,
    tag="ChargeFlows",
    fields=_FLOW,
    create=Shape("ChargeFlowCreate", (*pick(_FLOW, "name priority"), SETTABLE), ("name",)),
    update=Shape("ChargeFlowUpdate", (*pick(_FLOW, "name priority version"), SETTABLE), ("version",)),
    indexed=("state",),
    delete="soft",
)

_CONFIGURATION: Final = (
    ID, VERSION, SPACE_ID, PURGE_DATE, NAME, STATE,
    Field("flow", Link("ChargeFlow")),
    Field("period", PERIOD, description="How long the level waits before the next one begins, such as P2D"),
    Field("priority", int32()),
    Field("type", Long(1), description="1478100000001 token, 1478100000002 e-mail, 1478100000003 text message"),
)  # fmt: skip

CHARGE_FLOW_LEVEL_CONFIGURATION: Final = Resource(
    name="ChargeFlowLevelConfiguration",
    path=f"{_ROOT}/level-configurations",
    tag="ChargeFlows",
    permission="chargeFlow",
    fields=_CONFIGURATION,
    create=Shape(
        "ChargeFlowLevelConfigurationCreate",
        (*pick(_CONFIGURATION, "flow name period priority type"), SETTABLE),
        ("flow", "period", "type"),
    ),
    update=Shape(
        "ChargeFlowLevelConfigurationUpdate",
        (*pick(_CONFIGURATION, "name period priority version"), SETTABLE),
        ("version",),
    ),
    indexed=("flow", "state"),
    delete="soft",
)

CHARGE_FLOW_LEVEL: Final = Resource(
    name="ChargeFlowLevel",
    path=f"{_ROOT}/levels",
    tag="ChargeFlowLevels",
    permission="chargeFlow",
    fields=(
        ID, VERSION, CREATED_ON, SPACE_ID, PURGE_DATE,
        Field("asynchronousCharge", Link("Charge")),
        Field("configuration", Link("ChargeFlowLevelConfiguration")),
        Field("linkedTransaction", Long(1)),
        Field("state", OneOf.of("PENDING FAILED SUCCESSFUL")),
        Field("synchronousCharge", Link("Charge")),
        Field("timeoutOn", Moment()),
        Field("tokenCharge", Link("Charge")),
        Field("transaction", Link("Transaction")),
    ),
    indexed=("linkedTransaction", "configuration", "state"),
)  # fmt: skip

CHARGE_FLOW_LEVEL_PAYMENT_LINK: Final = Resource(
    name="ChargeFlowLevelPaymentLink",
    path=f"{_ROOT}/levels/payment-links",
    tag="ChargeFlowsLevelPaymentLinks",
    permission="chargeFlow",
    fields=(
        ID, SPACE_ID,
        Field("chargeFlowLevel", Link("ChargeFlowLevel")),
        Field("paymentLink", Text(2000)),
    ),
    indexed=("chargeFlowLevel",),
)  # fmt: skip

catalogue.declare(CHARGE_FLOW, CHARGE_FLOW_LEVEL_CONFIGURATION, CHARGE_FLOW_LEVEL, CHARGE_FLOW_LEVEL_PAYMENT_LINK)
