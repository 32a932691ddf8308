"""The HTTP door of the sandbox's directory server; the template deploys it only where `Environment=sandbox`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from threeds import emv
from threeds.addresses import DIRECTORY_PATH, addresses
from threeds.directory_simulator.repository import TransactionRepository
from threeds.directory_simulator.service import DirectoryService
from threeds.emv import Message, ProtocolFault
from tollgate import aws, config
from tollgate.dialects.vault import VAULT
from tollgate.egress import Egress
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.table import Table

_ANYONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True)
class Settings(config.Settings):
    """What the function needs."""

    base_url: str
    sandbox_allow_targets: tuple[str, ...]


_settings = config.load(Settings)
_service = DirectoryService(
    TransactionRepository(Table(_settings.sandbox_table, aws.dynamodb())), Egress(_settings.sandbox_allow_targets)
)


def pass_on_message(request: Request) -> Answer:
    """Take an AReq or an RReq, and answer what the other side says to it."""
    own = addresses(_settings.base_url, request.event)
    message: Message | None = None
    try:
        message = emv.read(request.raw_body(), "AReq", "RReq")
        if message["messageType"] == "AReq":
            answer = _service.authenticate(message, own.acs, own.directory)
        else:
            answer = _service.report(message)
    except ProtocolFault as fault:
        request.notes["error_code"] = fault.code
        answer = emv.error_message(fault, "D", message)
    return Answer(200, emv.encode(answer), content_type=emv.CONTENT_TYPE)


DOCUMENT = "platform"

ROUTES = (
    Route(
        "POST", DIRECTORY_PATH, pass_on_message, "The simulated directory server", _ANYONE, answer=dict[str, Any],
        failures=(413,), tag="Sandbox", description="EMV 3-D Secure 2.2: AReq → ARes, RReq → RRes, else Erro.",
    ),
)  # fmt: skip

handler = App(VAULT, ROUTES, journal=Journal("directory-simulator", _settings.log_level))
