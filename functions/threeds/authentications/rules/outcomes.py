"""What a message, or the clock, makes of an authentication: every transition, pure.

A transition looks at the record as it now stands and leaves it as it is (the very same object) where it has been moved
on by something else: so whoever loses a race sees that there is nothing left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from threeds import emv
from threeds.authentications.models import (
    Authentication,
    CardholderData,
    FailureDetail,
    Reason,
    Source,
    Status,
    failure,
)
from threeds.authentications.rules.messages import challenge_link
from threeds.emv import Message
from threeds.schemes import indicator

Transition = Callable[[Authentication, datetime], Authentication]
"""From a record and the present time to the record as it is to be."""

UNKNOWN_SECONDS: Final = 60
CHALLENGE_SECONDS: Final = 600
DECOUPLED_SECONDS: Final = 86_400

_STAMP: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_COMPLETING: Final = frozenset("YAI")
_UNDER_WAY: Final = frozenset({"challenge", "decoupled"})

_BY_STATUS: Final[Mapping[str, FailureDetail]] = {
    "N": failure("authentication_failed", "The cardholder was not authenticated", "issuer"),
    "R": failure("authentication_rejected", "The issuer rejects the authentication", "issuer"),
    "U": failure("authentication_unavailable", "The issuer could not authenticate at this time", "issuer"),
}
# Annex A, "Transaction Status Reason".
_BY_STATUS_REASON: Final[Mapping[str, FailureDetail]] = {
    "05": failure("expired", "The card has expired", "issuer"),
    "08": failure("card_not_enrolled", "The issuer has no record of the card", "issuer"),
    "13": failure("card_not_enrolled", "The cardholder is not enrolled", "issuer"),
}
_ABANDONED: Final = failure("challenge_abandoned", "The cardholder cancelled the challenge", "cardholder")
_TIMED_OUT: Final = failure("challenge_timeout", "The cardholder did not complete the challenge in time", "cardholder")
# Annex A, "Challenge Cancelation Indicator"; what is not here is told by the transaction status.
_BY_CANCEL: Final[Mapping[str, FailureDetail]] = {
    "01": _ABANDONED,
    "02": _ABANDONED,
    "03": _TIMED_OUT,
    "04": _TIMED_OUT,
    "05": _TIMED_OUT,
    "08": _TIMED_OUT,
}


def stamp(moment: datetime) -> str:
    """UTC to the microsecond, in a width that sorts as text."""
    return moment.astimezone(UTC).strftime(_STAMP)


def due_after_sending(now: datetime) -> str:
    """When an authentication of which nothing is heard gets settled."""
    return _later(now, UNKNOWN_SECONDS)


def answered(message: Message) -> Transition:
    """What an ARes makes of an authentication that was sent."""

    def move(before: Authentication, now: datetime) -> Authentication:
        if before.step != "sent":
            return before
        known = replace(before, ds_transaction_id=message["dsTransID"], acs_transaction_id=message["acsTransID"])
        status = message["transStatus"]
        if status in "CD" and before.is_requestor_initiated:
            return _failed(known, now, "directory_server_error", "The issuer asked for an absent cardholder")
        if status == "C":
            return _challenged(known, message, now)
        if status == "D":
            return replace(known, step="decoupled", due=_later(now, DECOUPLED_SECONDS), version=before.version + 1)
        return _finished(known, message, now)

    return move


def settled(message: Message) -> Transition:
    """What an RReq makes of an authentication whose cardholder was asked."""

    def move(before: Authentication, now: datetime) -> Authentication:
        return _finished(before, message, now) if before.step in _UNDER_WAY else before

    return move


def refused(reason: Reason, message: str, source: Source = "directory_server") -> Transition:
    """What it means that the directory server certainly did not take the AReq, or answered nothing usable."""

    def move(before: Authentication, now: datetime) -> Authentication:
        return _failed(before, now, reason, message, source) if before.step == "sent" else before

    return move


def unheard() -> Transition:
    """Nobody knows whether the directory server took the AReq: it stays as it is until the clock settles it."""
    return lambda before, _: before


def overdue(before: Authentication, now: datetime) -> Authentication:
    """What the clock makes of an authentication whose time is over."""
    if before.due is None or before.due > stamp(now):
        return before
    if before.step == "sent":
        return _failed(before, now, "directory_server_error", "The directory server did not answer in time")
    return _ended(before, now, "FAILED", (_TIMED_OUT,))


def says_the_same(record: Authentication, message: Message) -> bool:
    """Whether a finished authentication has the result that an RReq brings (again)."""
    data = record.cardholder_data
    return (
        data is not None
        and data["transaction_status"] == message["transStatus"]
        and data["authentication_value"] == message.get("authenticationValue")
    )


def _challenged(known: Authentication, message: Message, now: datetime) -> Authentication:
    asked = replace(
        known,
        step="challenge",
        acs_url=message["acsURL"],
        due=_later(now, CHALLENGE_SECONDS),
        version=known.version + 1,
    )
    return replace(asked, target_url=challenge_link(asked)) if emv.offers_link(message) else asked


def _finished(before: Authentication, message: Message, now: datetime) -> Authentication:
    status = message["transStatus"]
    data: CardholderData = {
        "authentication_value": message.get("authenticationValue"),
        "ds_transaction_id": str(before.ds_transaction_id),
        "acs_transaction_id": str(before.acs_transaction_id),
        "three_ds_server_transaction_id": before.session_id,
        "eci": message.get("eci")
        or indicator(before.scheme, status, requestor_initiated=before.is_requestor_initiated),
        "transaction_status": status,
        "version": str(message["messageVersion"]),
        "challenged": before.step in _UNDER_WAY,
    }
    known = replace(before, cardholder_data=data)
    if status in _COMPLETING:
        return _ended(known, now, "COMPLETED", ())
    return _ended(known, now, "FAILED", (_reason(message),))


def _reason(message: Message) -> FailureDetail:
    by_cancel = _BY_CANCEL.get(str(message.get("challengeCancel")))
    by_reason = _BY_STATUS_REASON.get(str(message.get("transStatusReason")))
    return by_cancel or by_reason or _BY_STATUS.get(message["transStatus"], _BY_STATUS["U"])


def _failed(
    before: Authentication, now: datetime, reason: Reason, message: str, source: Source = "directory_server"
) -> Authentication:
    return _ended(before, now, "FAILED", (failure(reason, message, source),))


def _ended(
    before: Authentication, now: datetime, status: Status, failures: tuple[FailureDetail, ...]
) -> Authentication:
    return replace(
        before,
        status=status,
        step="finished",
        failures=failures,
        finished_at=stamp(now),
        due=None,
        version=before.version + 1,
    )


def _later(now: datetime, seconds: int) -> str:
    return stamp(now + timedelta(seconds=seconds))
