"""A terminal's life: made, linked with a device, unlinked, given up.

CREATE and PREPARING are one here, since a simulated device needs no preparation: a new terminal is PREPARING until it
is linked. A device serves one terminal, of whichever tenant. While a payment is under way the device stays where it is.
"""

from __future__ import annotations

import re
from typing import Final

from payments import announcements
from payments.engine.errors import StateInvalid
from payments.engine.fields import now
from payments.engine.models import Context, Entity, Values
from payments.engine.repository import Objects
from payments.engine.service import Change, Hooks, ResourceService
from payments.resources.terminals import PAYMENT_TERMINAL
from payments.terminals.repository import TerminalRecords
from payments.units import UnitOfWork, repeated
from tollgate.errors import Invalid

ACTIVE: Final = "ACTIVE"
DECOMMISSIONED: Final = "DECOMMISSIONED"
DEVICE: Final = "Simulated terminal"
_SERIAL: Final = re.compile(r"[A-Za-z0-9-]{4,40}")


class TerminalHooks(Hooks):
    """Of terminals: a state to begin with, an identifier, and no change once it is given up."""

    def creating(self, change: Change) -> None:
        change.values["state"] = "PREPARING"
        change.values.setdefault("identifier", str(change.id))
        made = Entity(change.resource, change.scope, change.id, 1, change.values)
        announcements.announce(change.transaction, change.objects, change.context.tenant, made)

    def updating(self, change: Change) -> None:
        if change.before is None or change.before.state == DECOMMISSIONED:
            raise StateInvalid
        announcements.announce(
            change.transaction, change.objects, change.context.tenant, change.before, transition=False
        )


class TerminalLife:
    """Use cases that change a terminal's state."""

    def __init__(self, objects: Objects, records: TerminalRecords) -> None:
        self._objects = objects
        self._records = records
        self.terminals = ResourceService(PAYMENT_TERMINAL, objects, TerminalHooks())

    def by_identifier(self, context: Context, identifier: str) -> Entity | None:
        scope = context.place.scope_of(PAYMENT_TERMINAL)
        return self._objects.by_unique(PAYMENT_TERMINAL, scope, "identifier", identifier)

    def link(self, context: Context, terminal_id: int, serial_number: str) -> None:
        """Put a device to a terminal; the same one again changes nothing.

        Raises:
            StateInvalid: it has another device, or is given up.
            DeviceTaken: the device is at another terminal.
        """
        if not _SERIAL.fullmatch(serial_number):
            raise Invalid.at("serialNumber", "must have 4 to 40 letters, digits and hyphens")

        def attempt() -> None:
            before = self.terminals.read(context, terminal_id)
            if before.state == ACTIVE and before.values.get("deviceSerialNumber") == serial_number:
                return
            if before.state not in ("PREPARING", "INACTIVE"):
                raise StateInvalid
            unit = self._unit(context, before)
            values: Values = {
                "deviceSerialNumber": serial_number, "deviceName": DEVICE, "activatedOn": now(), "deactivatedOn": None,
            }  # fmt: skip
            unit.replace(before, values, states=(ACTIVE,))
            self._records.take_device(unit.transaction, before, serial_number)
            unit.commit()

        repeated(attempt)

    def unlink(self, context: Context, terminal_id: int) -> None:
        """Take the device away; from a terminal that has none there is nothing to take.

        Raises:
            TerminalBusy: a payment is under way.
        """

        def attempt() -> None:
            before = self.terminals.read(context, terminal_id)
            if before.state == DECOMMISSIONED:
                raise StateInvalid
            if before.state == ACTIVE:
                self._without_device(context, before, {"deactivatedOn": now()}, "INACTIVE")

        repeated(attempt)

    def decommission(self, context: Context, terminal_id: int) -> None:
        """Give a terminal up for good.

        Raises:
            TerminalBusy: a payment is under way.
        """

        def attempt() -> None:
            before = self.terminals.read(context, terminal_id)
            if before.state != DECOMMISSIONED:
                self._without_device(context, before, {"decommissionedOn": now()}, "DECOMMISSIONING", DECOMMISSIONED)

        repeated(attempt)

    def configure(self, context: Context, terminal_id: int) -> None:
        """Have the device take over its configuration, which a simulated one does at once.

        Raises:
            StateInvalid: there is no device.
        """

        def attempt() -> None:
            before = self.terminals.read(context, terminal_id)
            if before.state != ACTIVE:
                raise StateInvalid
            unit = self._unit(context, before)
            unit.replace(before, {}, {"configured_on": now()})
            unit.commit()

        repeated(attempt)

    def _without_device(self, context: Context, before: Entity, values: Values, *states: str) -> None:
        unit = self._unit(context, before)
        unit.replace(before, {**values, "deviceSerialNumber": None, "deviceName": None}, states=states)
        serial_number = before.values.get("deviceSerialNumber")
        if serial_number is not None:
            self._records.free_device(unit.transaction, serial_number)
        self._records.hold_idle(unit.transaction, before)
        unit.commit()

    def _unit(self, context: Context, terminal: Entity) -> UnitOfWork:
        return UnitOfWork(self._objects, context.tenant, terminal.scope)
