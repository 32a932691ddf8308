"""Shapes of the sandbox routes (`GET|POST /sandbox/clock`, `/sandbox/inbox/{name}`)."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from pydantic import Field

from tollgate.models.fields import RequestModel

LONGEST_STEP_SECONDS = 10 * 366 * 24 * 3600
LONGEST_DELAY_SECONDS = 30
LARGEST_BODY = 300_000


class Advance(RequestModel):
    """How far to move the clock, forward only."""

    advance_seconds: Annotated[int, Field(ge=0, le=LONGEST_STEP_SECONDS)]


class Behaviour(RequestModel):
    """How an inbox answers its next `times` requests."""

    status: Annotated[int, Field(ge=200, le=599)] = 200
    body: Annotated[str, Field(max_length=LARGEST_BODY)] = ""
    delay_seconds: Annotated[int, Field(ge=0, le=LONGEST_DELAY_SECONDS)] = 0
    times: Annotated[int, Field(ge=1, le=1_000_000)] = 1


class ClockView(TypedDict):
    """The sandbox's time; `ran` names the scheduled functions that ran because the clock moved."""

    now: str
    offset_seconds: int
    ran: list[str]


class Received(TypedDict):
    """One request that an inbox received. `body` is text, or base64 where `body_is_base64`."""

    received_at: str
    method: str
    path: str
    headers: dict[str, str]
    body: str
    body_is_base64: bool


class Inbox(TypedDict):
    """What an inbox received, oldest first."""

    requests: list[Received]


class ProvisioningAnswer(TypedDict, total=False):
    """What provisioning answers; see the payloads' own descriptions."""

    id: str
    name: str
    vault: dict[str, Any]
