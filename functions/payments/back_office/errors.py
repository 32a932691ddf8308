"""What can go wrong in the back office beyond what the engine refuses."""

from __future__ import annotations

from payments.engine.errors import ObjectNotFound, StateInvalid
from tollgate.errors import Invalid, TooLarge

__all__ = ["LogoInvalid", "ObjectNotFound", "PeriodTooLong", "StateInvalid", "TooLarge"]


class LogoInvalid(Invalid):
    """What was sent as a logo is no picture that can be shown."""


class PeriodTooLong(Invalid):
    """More happened in the period than can be counted for one request."""

    default_message = "More was consumed in this period than one request counts; ask for shorter periods"
