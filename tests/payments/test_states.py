"""The state machines: what is allowed, what is final, which way leads where."""

from __future__ import annotations

import pytest

from payments import states
from payments.engine.errors import StateInvalid
from payments.states import may, path, sources

MACHINES = [
    states.TRANSACTION, states.CHARGE, states.CHARGE_ATTEMPT, states.COMPLETION, states.VOID, states.REFUND,
    states.INVOICE, states.CREATION_ENTITY, states.TOKEN_VERSION, states.DELIVERY_INDICATION, states.LINE_ITEM_VERSION,
]  # fmt: skip


@pytest.mark.parametrize("machine", MACHINES)
def test_every_target_is_a_state_and_no_state_leads_to_itself(machine: states.Machine) -> None:
    for state, targets in machine.items():
        assert targets <= machine.keys()
        assert state not in targets


@pytest.mark.parametrize("machine", MACHINES)
def test_every_state_comes_to_an_end(machine: states.Machine) -> None:
    finals = {state for state in machine if states.is_final(machine, state)}
    assert finals
    for state in machine.keys() - finals:
        assert any(path(machine, state, final) for final in finals if _reaches(machine, state, final))


def _reaches(machine: states.Machine, state: str, target: str) -> bool:
    try:
        return bool(path(machine, state, target))
    except StateInvalid:
        return False


def test_final_states_of_a_transaction() -> None:
    finals = {state for state in states.TRANSACTION if states.is_final(states.TRANSACTION, state)}
    assert finals == {"FAILED", "VOIDED", "FULFILL", "DECLINE"}


def test_a_step_is_allowed_or_not() -> None:
    assert may(states.TRANSACTION, "AUTHORIZED", "VOIDED")
    assert not may(states.TRANSACTION, "COMPLETED", "VOIDED")
    assert not may(states.TRANSACTION, "FULFILL", "COMPLETED")
    assert not may(states.TRANSACTION, "no such state", "PENDING")


def test_sources_are_what_a_condition_asks_for() -> None:
    assert sources(states.TRANSACTION, "FAILED") == ("PENDING", "CONFIRMED", "PROCESSING")
    assert sources(states.REFUND, "SUCCESSFUL") == ("CREATE", "SCHEDULED", "PENDING", "MANUAL_CHECK")


def test_a_way_of_several_steps_names_each() -> None:
    assert path(states.TRANSACTION, "PROCESSING", "FULFILL") == ("AUTHORIZED", "COMPLETED", "FULFILL")
    assert path(states.TRANSACTION, "PENDING", "PROCESSING") == ("CONFIRMED", "PROCESSING")


def test_no_way_back() -> None:
    with pytest.raises(StateInvalid):
        path(states.TRANSACTION, "FULFILL", "VOIDED")
