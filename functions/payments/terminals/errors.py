"""What can go wrong at a terminal."""

from __future__ import annotations

from tollgate.errors import Conflict, Fault, Invalid, NotFound, UpstreamTimeout


class TerminalBusy(Conflict):
    """Another payment is under way at the terminal (409)."""

    default_message = "Another transaction is under way at the terminal"

    def __init__(self) -> None:
        super().__init__(code="terminal_busy")


class DeviceTaken(Invalid):
    """The device is linked to a terminal already (422)."""

    def __init__(self) -> None:
        super().__init__([Fault("serialNumber", "is linked to another terminal")], code="device_linked")


class TillCredentialsInvalid(NotFound):
    """The credentials are of no payment at a terminal, or are past their time (404)."""

    default_message = "The credentials are not valid"


class StillUnderWay(UpstreamTimeout):
    """The buyer has not come to an end; the same request goes on where this one ended (504)."""

    default_message = "The transaction is still under way at the terminal: repeat the request to go on waiting"
