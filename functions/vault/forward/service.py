"""The one use case of the proxy: check, fill in, send once, relay.

Checks come before anything secret is opened, and everything is ready before the security code is taken. Nothing is
sent twice: a request whose outcome is unknown stays unknown here, and the caller hears 504. It must not keep or log a
body, in either direction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tollgate.egress import BadAnswer, Egress, is_allowed
from vault.forward.errors import BadTemplate, DestinationForbidden, SecurityCodeAbsent, TokenUnusable
from vault.forward.models import Relayed, Wanted
from vault.forward.repository import DestinationRepository
from vault.forward.rules import headers, template
from vault.forward.rules.echo import Echo
from vault.forward.rules.template import Template
from vault.tokens.public import Token, TokenNotFound, TokenService

DEADLINE_SECONDS: Final = 25
"""From the look-up of the name to the last byte of the answer; the gateway in front of us gives up after thirty."""

MOST_ANSWER_BYTES: Final = 4_500_000
"""As base64, which every answer travels in, this is just under the six megabytes that a function may answer."""


class ForwardService:
    """Sends a caller's request on with the card filled in."""

    def __init__(
        self,
        tokens: TokenService,
        destinations: DestinationRepository,
        egress: Egress,
        *,
        masks: bool,
        on_fault: Callable[[Exception], None],
    ) -> None:
        """`masks` has echoes masked; `on_fault` hears of what went wrong after the destination had answered."""
        self._tokens = tokens
        self._destinations = destinations
        self._egress = egress
        self._masks = masks
        self._on_fault = on_fault

    def forward(self, account_id: str, wanted: Wanted) -> Relayed:
        """The destination's answer, whatever its status.

        Raises:
            BadHeaders, BadTemplate, TokenUnusable, SecurityCodeAbsent, DestinationForbidden: nothing was sent.
            EgressFailure: see its `sent`.
        """
        to_send = headers.to_send(wanted.headers)
        if not is_allowed(wanted.destination, self._destinations.of(account_id)):
            raise DestinationForbidden
        is_encoded = wanted.headers.get("content-encoding", "identity").strip().lower() != "identity"
        body = template.read(wanted.body, wanted.headers.get("content-type"), is_encoded=is_encoded)
        try:
            token = self._tokens.find(account_id, wanted.token_id)
            card = self._card(token, body.members)
        except TokenNotFound:
            raise TokenUnusable.at("header.x-hellgate-token", "is not a token that can be used") from None
        send = _Sending(self._egress, wanted.destination, to_send, body, self._masks)
        if "security_code" not in body.members:
            return send(card)
        return self._with_security_code(token, card, send)

    def _card(self, token: Token, members: frozenset[str]) -> dict[str, str]:
        """The members that the body asks for, as text, but for the security code."""
        card = {
            "expiration_month": f"{token.expiry_month:02d}",
            "expiration_year": f"{token.expiry_year:04d}",
        }
        if "cardholder_name" in members:
            if token.cardholder_name is None:
                raise BadTemplate.at("$", "names a cardholder name, and the token has none")
            card["cardholder_name"] = token.cardholder_name
        if "account_number" in members:
            card["account_number"] = self._tokens.reveal(token)
        return card

    def _with_security_code(
        self, token: Token, card: dict[str, str], send: Callable[[dict[str, str]], Relayed]
    ) -> Relayed:
        """Send with the security code, which nobody else gets meanwhile, and which a success uses up."""
        code = self._tokens.take_security_code(token)
        if code is None:
            raise SecurityCodeAbsent.at("$", "names a security code, and the token has none that could be used")
        is_success = False
        try:
            relayed = send({**card, "security_code": code})
            is_success = 200 <= relayed.status < 300
        finally:
            self._settle_security_code(token, is_success)
        return relayed

    def _settle_security_code(self, token: Token, is_used_up: bool) -> None:
        """A code that can be neither dropped nor given back stays taken until its hour is over, which is safe; the
        caller must hear what the destination said all the same."""
        try:
            if is_used_up:
                self._tokens.use_up_security_code(token)
            else:
                self._tokens.give_back_security_code(token)
        except Exception as fault:
            self._on_fault(fault)


class _Sending:
    """One request, waiting for its card."""

    def __init__(
        self, egress: Egress, destination: str, to_send: list[tuple[str, str]], body: Template, masks: bool
    ) -> None:
        self._egress = egress
        self._destination = destination
        self._to_send = to_send
        self._body = body
        self._masks = masks

    def __call__(self, card: dict[str, str]) -> Relayed:
        answer = self._egress.request(
            "POST",
            self._destination,
            self._to_send,
            self._body.fill(card),
            deadline_seconds=DEADLINE_SECONDS,
            max_response_bytes=MOST_ANSWER_BYTES,
        )
        received, text = answer.headers, answer.body
        if self._masks:
            echo = Echo({member: card[member] for member in self._body.members})
            received, text = [(name, echo.mask_header(value)) for name, value in received], echo.mask(text)
        relayed = headers.to_relay(answer.status, received, text)
        if relayed is None:
            raise BadAnswer("headers too large", sent=True)
        return relayed
