"""Shapes of token sessions ("Request a token session" in the reference; the client's half as its SDKs speak it).

The client's half is a small state machine: `next_action` says what the client has to do, `status` how the session
stands, and `data` is what goes with it: the key to encrypt for, the token, or the reason of the last refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypedDict

from pydantic import Field

from tollgate.models.fields import RequestModel
from vault.sessions.errors import ReasonCode

LIFETIME_SECONDS: Final = 30 * 60
MOST_ATTEMPTS: Final = 5
LONGEST_EXPIRATION_SECONDS: Final = 2_592_000
LONGEST_PAYLOAD: Final = 8192

REASONS: Final[dict[ReasonCode, str]] = {
    "invalid_card_number": "The card number is not valid",
    "invalid_expiry_date": "The expiry date is not valid or has passed",
    "invalid_security_code": "The security code is not valid",
    "invalid_test_card": "Test cards are not accepted here",
    "invalid_payload": "The card details could not be read",
}


class CreateSession(RequestModel):
    """What the token of this session shall be like; every member may be left out."""

    bypass_identification: Annotated[
        bool | None, Field(description="Skips identification and verification of the cardholder (default: false)")
    ] = None
    expiration_time: Annotated[
        Annotated[int, Field(ge=1, le=LONGEST_EXPIRATION_SECONDS)] | None,
        Field(
            description="Seconds after its creation when the token deletes itself; such a token gets no network token"
        ),
    ] = None


class SessionCreated(TypedDict):
    """The session's id, which is all a client needs to hand over one card: keep it to that client."""

    session_id: str


class PublicKey(TypedDict):
    """An RSA key to encrypt for (RFC 7517): RSA-OAEP-256 and A256GCM, nothing else."""

    kty: Literal["RSA"]
    use: Literal["enc"]
    alg: Literal["RSA-OAEP-256"]
    kid: str
    n: str
    e: str


class SessionParameters(TypedDict):
    """What a client needs to encrypt a card. `api_key` is the session's id, for clients that ask for a key."""

    jwk: PublicKey
    base_url: str
    api_key: str
    provider: Literal["guardian"]


class SessionToken(TypedDict):
    """What came of it."""

    token_id: str


class SessionRefusal(TypedDict):
    """Why the card was not taken, and how many more attempts there are."""

    reason: str
    reason_code: ReasonCode
    attempts_left: int


SessionStatus = Literal["pending", "success", "failed"]


class SessionView(TypedDict):
    """A session as its client sees it. `next_action` is null once there is nothing more to do."""

    data: SessionParameters | SessionToken | SessionRefusal
    next_action: Literal["tokenize_card"] | None
    status: SessionStatus


class CompleteActionResult(RequestModel):
    """The card, encrypted (JWE, compact form)."""

    enc_payload: Annotated[
        str,
        Field(
            min_length=1,
            max_length=LONGEST_PAYLOAD,
            description="A JWE (RSA-OAEP-256, A256GCM) of `account_number`, `expiry_month`, `expiry_year`, "
            "`security_code` and `cardholder_name`",
        ),
    ]


class CompleteAction(RequestModel):
    """The action that the session asked for, carried out."""

    action: Literal["tokenize_card"]
    result: CompleteActionResult


class SessionAnswer(TypedDict):
    """How the action ended. A refused card is an answer and no error; it may be corrected and sent again."""

    data: SessionToken | SessionRefusal
    status: Literal["success", "failed"]


@dataclass(frozen=True, slots=True)
class Session:
    """A stored session. `period` names the account's key that opens its payload, `modulus` is its public part."""

    id: str
    account_id: str
    expires_at: int
    period: str
    modulus: str
    attempts: int = 0
    bypass_identification: bool = False
    expiration_seconds: int | None = None
    token_id: str | None = None
    reason_code: ReasonCode | None = None

    @property
    def attempts_left(self) -> int:
        return max(MOST_ATTEMPTS - self.attempts, 0)

    @property
    def status(self) -> SessionStatus:
        if self.token_id is not None:
            return "success"
        return "pending" if self.attempts_left else "failed"


def refusal(reason_code: ReasonCode, attempts_left: int) -> SessionRefusal:
    return {"reason": REASONS[reason_code], "reason_code": reason_code, "attempts_left": attempts_left}


def public_key(session: Session) -> PublicKey:
    """The key as a JWK. Its `kid` is the session: a payload whose header repeats it is good for this session alone."""
    return {"kty": "RSA", "use": "enc", "alg": "RSA-OAEP-256", "kid": session.id, "n": session.modulus, "e": "AQAB"}
