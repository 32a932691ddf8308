"""The HTTP door of the compliance proxy: the family's dialect with the proxy's own codes, the route, composition."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Final

from tollgate import aws, config, ids
from tollgate.auth.identity import Identity
from tollgate.dialects.vault import API_KEY, KEY_HEADER, KINDS, VAULT
from tollgate.egress import Egress, EgressFailure
from tollgate.egress.urls import MAX_URL_CHARACTERS
from tollgate.egress.urls import read as read_url
from tollgate.errors import Fault, Invalid, Malformed, Unauthenticated
from tollgate.http.app import App
from tollgate.http.dialect import Kind
from tollgate.http.message import Answer, Request
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.table import Table
from vault.forward.models import DESTINATION_HEADER, TOKEN_HEADER, Wanted
from vault.forward.repository import DestinationRepository
from vault.forward.service import ForwardService
from vault.tokens.public import TokenSettings, tokens_of


@dataclass(frozen=True)
class Settings(TokenSettings):
    """What the proxy needs. `forward_mask_echo` is `true` or `false`."""

    forward_mask_echo: str


FORWARD: Final = dataclasses.replace(
    VAULT,
    kinds={
        **KINDS,
        Malformed: Kind(400, "BAD_REQUEST"),
        Invalid: Kind(400, "BAD_REQUEST"),
        # RFC 9110, 15.5.8: so that a 401 can only be the destination's.
        Unauthenticated: Kind(407, "PROXY_AUTHENTICATION_REQUIRED"),
    },
)

_settings = config.load(Settings)
_identity = Identity.of(_settings)
_journal = Journal("forward", _settings.log_level)
_service = ForwardService(
    tokens_of(_settings),
    DestinationRepository(Table(_settings.identity_table, aws.dynamodb())),
    Egress(frozenset(_settings.sandbox_allow_targets if _settings.is_sandbox else ())),
    masks=_settings.forward_mask_echo != "false",
    on_fault=lambda fault: _journal.fault(None, fault),
)

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s].*", re.DOTALL)


def forward(request: Request) -> Answer:
    """Fill the card into the body and send it on; the answer is the destination's."""
    wanted = Wanted(*_required(request), dict(request.headers), request.raw_body())
    request.notes["token_id"] = wanted.token_id
    try:
        relayed = _service.forward(request.account_id, wanted)
    except EgressFailure as failure:
        request.notes.update(reason=failure.reason, outcome="unknown" if failure.sent else "not sent")
        raise
    request.notes.update(host=read_url(wanted.destination).host, outcome="relayed", bytes=len(relayed.body))
    return Answer(
        relayed.status,
        relayed.body,
        relayed.headers,
        relayed.content_type,
        cookies=relayed.cookies,
        as_bytes=True,
    )


def _required(request: Request) -> tuple[str, str]:
    """The token's id and the destination, read but not yet judged."""
    token_id, destination = request.header(TOKEN_HEADER), request.header(DESTINATION_HEADER)
    faults = []
    if token_id is None or not ids.is_uuid(token_id):
        faults.append(Fault(f"header.{TOKEN_HEADER}", "is required and must be a UUID"))
    if destination is None or len(destination) > MAX_URL_CHARACTERS or not _ABSOLUTE.fullmatch(destination):
        faults.append(Fault(f"header.{DESTINATION_HEADER}", "is required and must be an absolute URL"))
    if faults or token_id is None or destination is None:
        raise Invalid(faults)
    return token_id.lower(), destination


def _authenticate(request: Request, route: Route) -> None:
    """By API key alone. `Authorization` is not ours here: it goes to the destination."""
    api_key = request.header(KEY_HEADER)
    if api_key is None:
        raise Unauthenticated
    request.caller_ = _identity.by_api_key(api_key)


_PAIR_TEXT = (
    "Headers go to the destination as they are, but for the reserved ones and those of the connection. A pair "
    "`x-<term>-key` (or `-name`) and `x-<term>-value` becomes one header of that name there. In the body, "
    "`{{ account_number }}`, `{{ expiration_month }}`, `{{ expiration_year }}`, `{{ security_code }}` and "
    "`{{ cardholder_name }}` are filled in; `| unwrap` makes month and year bare numbers. Status, headers and body of "
    "the answer are the destination's where `x-tollgate-relayed` is present."
)

ROUTES = (
    Route(
        "POST", "/forward", forward, "Forward cardholder data", API_KEY, body={}, body_required=False, answer={},
        failures=(400, 403, 407, 413, 502, 503, 504), tag="Compliance Service", description=_PAIR_TEXT,
        headers={
            TOKEN_HEADER: (True, {"type": "string", "format": "uuid"}, "The token whose card is filled in"),
            DESTINATION_HEADER: (
                True, {"type": "string", "format": "uri", "maxLength": MAX_URL_CHARACTERS},
                "Where the request goes; only destinations that the account lists",
            ),
        },
    ),
)  # fmt: skip

handler = App(FORWARD, ROUTES, authenticate=_authenticate, journal=_journal)
