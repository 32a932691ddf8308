"""The HTTP door of the sandbox's access control server: AReq messages from the directory server, and the cardholder's
page. The template deploys it only where `Environment=sandbox`.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any, Final

from threeds import emv
from threeds.acs_simulator import rules
from threeds.acs_simulator.errors import ChallengeUnknown
from threeds.acs_simulator.models import MOST_WRONG_CODES, Session
from threeds.acs_simulator.repository import SessionRepository
from threeds.acs_simulator.service import AcsService
from threeds.addresses import ACS_CHALLENGE_PATH, ACS_PATH, addresses
from threeds.emv import Message, ProtocolFault
from threeds.pages import Pages, hidden, read_form
from tollgate import aws, config
from tollgate.dialects.vault import VAULT
from tollgate.egress import Egress
from tollgate.http.app import App
from tollgate.http.message import Answer, Request, query_pairs
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
_service = AcsService(
    SessionRepository(Table(_settings.sandbox_table, aws.dynamodb())), Egress(_settings.sandbox_allow_targets)
)
_pages = Pages(is_sandbox=True)


def answer_authentication(request: Request) -> Answer:
    """Answer an AReq."""
    message: Message | None = None
    try:
        message = emv.read(request.raw_body(), "AReq")
        answer = _service.authenticate(message, addresses(_settings.base_url, request.event).acs_challenge)
    except ProtocolFault as fault:
        request.notes["error_code"] = fault.code
        answer = emv.error_message(fault, "A", message)
    return Answer(200, emv.encode(answer), content_type=emv.CONTENT_TYPE)


def show_challenge(request: Request) -> Answer:
    """Ask the cardholder for the code; the CReq is in the link."""
    creq = _creq(request, {})
    return _form(request, _service.open(creq), creq)


def answer_challenge(request: Request) -> Answer:
    """Take the CReq that a browser posts, or the cardholder's answer to it."""
    fields = read_form(request)
    creq = _creq(request, fields)
    session = _service.open(creq)
    if "cancel" in fields:
        return _after(request, _service.cancel(session), creq)
    if "challenge_code" in fields:
        return _after(request, _service.enter(session, fields["challenge_code"].strip()), creq)
    return _form(request, session, creq)


def _creq(request: Request, fields: dict[str, str]) -> str:
    found = fields.get("creq") or next((value for name, value in query_pairs(request.raw_query) if name == "creq"), "")
    if not found:
        raise ChallengeUnknown
    return found


def _after(request: Request, session: Session, creq: str) -> Answer:
    """The page behind an answer: the form again, or back to the shop with the CRes."""
    if session.verdict is not None:
        request.notes["outcome"] = session.verdict.status
        cres = emv.to_base64url(rules.final_response(session, session.verdict))
        return _pages.send_off("Back to the shop", "Your answer was taken.", session.notification_url, {"cres": cres})
    if session.plan == "silent":
        return _pages.show("Your bank is still checking", "<p>Please wait for the shop to tell you the result.</p>")
    return _form(request, session, creq)


def _form(request: Request, session: Session, creq: str) -> Answer:
    problem, described = "", "hint"
    if session.wrong_codes:
        left = MOST_WRONG_CODES - session.wrong_codes
        tries = "one try" if left == 1 else f"{left} tries"
        problem = f'<p class="problem" id="problem" role="alert">This code is not right. You have {tries} left.</p>'
        described = "problem hint"
    details = {"Shop": session.merchant_name, "Amount": session.amount, "Card": f"•••• {session.last_four}"}
    listed = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in details.items())
    content = (
        f"<p>Your bank wants to know that it is you.</p><dl>{listed}</dl>{problem}"
        f'<form method="post" action="{escape(_own_url(request))}">{hidden({"creq": creq})}'
        '<label for="challenge_code">Code</label>'
        '<input id="challenge_code" name="challenge_code" inputmode="numeric" autocomplete="one-time-code" '
        f'maxlength="12" required autofocus aria-describedby="{described}">'
        f'<p id="hint">This is a sandbox: the code is {rules.RIGHT_CODE}.</p>'
        "<button>Confirm</button>"
        '<button class="plain" name="cancel" value="1" formnovalidate>Cancel</button></form>'
    )
    return _pages.show("Confirm your payment", content, sends_to=_own_url(request))


def _own_url(request: Request) -> str:
    return addresses(_settings.base_url, request.event).acs_challenge


DOCUMENT = "platform"

_PAGE: Final = "text/html"
ROUTES = (
    Route(
        "POST", ACS_PATH, answer_authentication, "The simulated access control server", _ANYONE,
        answer=dict[str, Any], failures=(413,), tag="Sandbox",
        description="EMV 3-D Secure 2.2: AReq → ARes, else Erro.",
    ),
    Route(
        "GET", ACS_CHALLENGE_PATH, _pages.readable(show_challenge), "Show a challenge", _ANYONE, answer=str,
        media_type=_PAGE, failures=(404, 409), tag="Sandbox",
        description="For the cardholder's browser, with the CReq in the query parameter `creq`.",
    ),
    Route(
        "POST", ACS_CHALLENGE_PATH, _pages.readable(answer_challenge), "Answer a challenge", _ANYONE, answer=str,
        media_type=_PAGE, failures=(404, 409, 413, 422), tag="Sandbox",
        description="A form: `creq` (or in the query), and `challenge_code` (123456 passes, the third wrong one fails) "
        "or `cancel`. Afterwards the browser is sent on with a CRes.",
    ),
)  # fmt: skip

handler = App(VAULT, ROUTES, journal=Journal("acs-simulator", _settings.log_level))
