"""The state machines of a transaction and of what belongs to it, as data. Source: fact file of the family, 2.9.

Pure. A step is allowed if the machine has it; who writes a step makes the states it may come from the condition of the
write, so that of two writers one wins and no state is left twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from payments.engine.errors import StateInvalid

Machine = Mapping[str, frozenset[str]]


def _machine(**steps: str) -> Machine:
    targets = {state: frozenset(after.split()) for state, after in steps.items()}
    finals = {each for after in targets.values() for each in after} - targets.keys()
    return {**targets, **dict.fromkeys(finals, frozenset())}


TRANSACTION: Final = _machine(
    CREATE="PENDING CONFIRMED",
    PENDING="CONFIRMED FAILED",
    CONFIRMED="PROCESSING FAILED",
    PROCESSING="AUTHORIZED FAILED",
    AUTHORIZED="COMPLETED VOIDED",
    COMPLETED="FULFILL DECLINE",
)
CHARGE: Final = _machine(PENDING="SUCCESSFUL FAILED")
CHARGE_ATTEMPT: Final = _machine(PROCESSING="SUCCESSFUL FAILED")
COMPLETION: Final = _machine(
    CREATE="SCHEDULED PENDING SUCCESSFUL FAILED", SCHEDULED="PENDING SUCCESSFUL FAILED", PENDING="SUCCESSFUL FAILED"
)
VOID: Final = _machine(CREATE="PENDING SUCCESSFUL FAILED", PENDING="SUCCESSFUL FAILED")
REFUND: Final = _machine(
    CREATE="SCHEDULED PENDING MANUAL_CHECK SUCCESSFUL FAILED",
    SCHEDULED="PENDING MANUAL_CHECK SUCCESSFUL FAILED",
    PENDING="MANUAL_CHECK SUCCESSFUL FAILED",
    MANUAL_CHECK="SUCCESSFUL FAILED",
)
INVOICE: Final = _machine(
    CREATE="OPEN OVERDUE PAID NOT_APPLICABLE",
    OPEN="OVERDUE PAID DERECOGNIZED CANCELED",
    OVERDUE="PAID DERECOGNIZED CANCELED",
)
CREATION_ENTITY: Final = _machine(
    CREATE="ACTIVE INACTIVE",
    ACTIVE="INACTIVE DELETING DELETED",
    INACTIVE="ACTIVE DELETING DELETED",
    DELETING="DELETED",
)
TOKEN_VERSION: Final = _machine(UNINITIALIZED="ACTIVE OBSOLETE", ACTIVE="OBSOLETE")
DELIVERY_INDICATION: Final = _machine(
    PENDING="SUITABLE NOT_SUITABLE MANUAL_CHECK_REQUIRED", MANUAL_CHECK_REQUIRED="SUITABLE NOT_SUITABLE"
)
LINE_ITEM_VERSION: Final = _machine(
    CREATE="SCHEDULED PENDING SUCCESSFUL FAILED", SCHEDULED="PENDING SUCCESSFUL FAILED", PENDING="SUCCESSFUL FAILED"
)
CHARGE_FLOW_LEVEL: Final = _machine(PENDING="SUCCESSFUL FAILED")


def may(machine: Machine, before: str, after: str) -> bool:
    """Whether one step leads from one state to the other."""
    return after in machine.get(before, frozenset())


def sources(machine: Machine, after: str) -> tuple[str, ...]:
    """The states from which one step leads there, in the order of the machine: what a condition asks for."""
    return tuple(state for state, targets in machine.items() if after in targets)


def is_final(machine: Machine, state: str) -> bool:
    return not machine[state]


def path(machine: Machine, before: str, after: str) -> tuple[str, ...]:
    """The states on the shortest way, without the first: what has to be announced when one write takes several steps.

    Raises:
        StateInvalid: there is no way.
    """
    ways: list[tuple[str, ...]] = [(before,)]
    seen = {before}
    for way in ways:
        for target in sorted(machine.get(way[-1], ())):
            if target == after:
                return (*way[1:], target)
            if target not in seen:
                seen.add(target)
                ways.append((*way, target))
    raise StateInvalid
