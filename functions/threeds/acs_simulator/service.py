"""The issuer of a sandbox: answers AReq messages, asks cardholders, and reports what came of it.

A verdict is written down before it is reported (RReq), and reported until the other side has answered, at the latest by
the clock; so no crash loses one.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from threeds import emv
from threeds.acs_simulator import rules
from threeds.acs_simulator.errors import ChallengeEnded, ChallengeUnknown, SessionMoved
from threeds.acs_simulator.models import MOST_WRONG_CODES, Plan, Session, Verdict
from threeds.acs_simulator.repository import SessionRepository
from threeds.emv import Message, ProtocolFault
from threeds.exchange import exchange
from tollgate import clock, ids
from tollgate.egress import Egress, EgressFailure

RREQ_SECONDS: Final = 8
VALUE_BYTES: Final = 20


class AcsService:
    """Use cases of the directory server, of the cardholder's browser, and of the clock."""

    def __init__(self, repository: SessionRepository, egress: Egress) -> None:
        self._repository = repository
        self._egress = egress

    # ------------------------------------------------------------------ the directory server

    def authenticate(self, request: Message, challenge_url: str) -> Message:
        """The ARes to an AReq."""
        transaction_id, now = ids.new_uuid(), clock.now()
        plan = rules.plan(request, now)
        if plan in ("challenge", "silent"):
            self._repository.insert(_session(transaction_id, request, plan, rules.CHALLENGE_SECONDS))
            return rules.answer(request, transaction_id, "C", None, challenge_url)
        if plan == "decoupled":
            self._repository.insert(_session(transaction_id, request, plan, rules.DECOUPLED_SECONDS))
            return rules.answer(request, transaction_id, "D", None, challenge_url)
        verdict = rules.immediate(request, plan, _new_value(), now)
        return rules.answer(request, transaction_id, plan, verdict, challenge_url)

    # ------------------------------------------------------------------ the cardholder

    def open(self, creq: str) -> Session:
        """The session of a CReq, if the cardholder may still answer.

        Raises:
            ChallengeUnknown: there is none.
            ChallengeEnded: it was completed, or its time is over.
        """
        try:
            message = emv.from_base64url(creq, "CReq")
        except ProtocolFault:
            raise ChallengeUnknown from None
        session = self._repository.find(message["acsTransID"].lower())
        if session is None or session.server_transaction_id != message["threeDSServerTransID"].lower():
            raise ChallengeUnknown
        if session.state == "reported" or session.plan == "decoupled" or _is_over(session):
            raise ChallengeEnded
        return session

    def enter(self, session: Session, code: str) -> Session:
        """Take a code; the session as it is afterwards, with a verdict when the challenge is over.

        Raises:
            ChallengeEnded: another request or the clock was first.
        """
        if session.plan == "silent" or session.state != "open":
            return self._conclude(session)
        if code == rules.RIGHT_CODE:
            return self._decide(session, rules.authenticated(session, _new_value()))
        try:
            wrong = self._repository.count_wrong_code(session)
        except SessionMoved:
            raise ChallengeEnded from None
        if wrong >= MOST_WRONG_CODES:
            return self._decide(session, rules.wrong_code(session))
        return self._again(session)

    def cancel(self, session: Session) -> Session:
        """The cardholder does not want to.

        Raises:
            ChallengeEnded: another request or the clock was first.
        """
        if session.state != "open":
            return self._conclude(session)
        return self._decide(session, rules.abandoned(session))

    def _decide(self, session: Session, verdict: Verdict) -> Session:
        try:
            self._repository.decide(session, verdict)
        except SessionMoved:
            raise ChallengeEnded from None
        return self._conclude(self._again(session))

    def _conclude(self, session: Session) -> Session:
        """Report a verdict if there is one; if that fails, the clock will."""
        if session.verdict is not None:
            self._report(session, session.verdict)
        return session

    def _again(self, session: Session) -> Session:
        found = self._repository.find(session.id)
        if found is None:
            raise ChallengeUnknown
        return found

    # ------------------------------------------------------------------ the clock

    def due(self) -> Iterator[Callable[[], int]]:
        """What the clock goes on with now, each as what does it and answers how many verdicts were reported."""
        for session_id, key in self._repository.due():
            yield partial(self._go_on, session_id, key)

    def _go_on(self, session_id: str, key: str) -> int:
        session = self._repository.find(session_id)
        if session is None or not (session.state == "decided" or _is_over(session)):
            self._repository.forget_due(key)
            return 0
        if session.verdict is None:
            is_decoupled = session.plan == "decoupled"
            verdict = rules.authenticated(session, _new_value()) if is_decoupled else rules.timed_out(session)
            try:
                self._repository.decide(session, verdict)
            except SessionMoved:
                return 0
            session = self._again(session)
        return int(session.verdict is not None and self._report(session, session.verdict))

    def _report(self, session: Session, verdict: Verdict) -> bool:
        """Send the RReq. An answer of whatever kind ends it: the other side has heard."""
        message = rules.result(session, verdict)
        is_heard = True
        try:
            exchange(self._egress, session.ds_url, message, "RRes", deadline_seconds=RREQ_SECONDS)
        except EgressFailure:
            is_heard = False
        except ProtocolFault as fault:
            is_heard = fault.code != emv.CONNECTION_FAILED
        if is_heard or clock.epoch() - session.due > rules.GIVE_UP_SECONDS:
            self._repository.finish(session)
        return is_heard


def _session(transaction_id: str, request: Message, plan: Plan, seconds: int) -> Session:
    return Session(
        id=transaction_id,
        server_transaction_id=request["threeDSServerTransID"].lower(),
        ds_transaction_id=request["dsTransID"],
        ds_url=request["dsURL"],
        notification_url=request["notificationURL"],
        plan=plan,
        scheme=rules.scheme(request["acctNumber"]),
        merchant_name=request["merchantName"],
        amount=rules.readable_amount(request),
        purchase_date=request["purchaseDate"],
        last_four=request["acctNumber"][-4:],
        due=clock.epoch() + seconds,
    )


def _is_over(session: Session) -> bool:
    """Nobody answered in time."""
    return session.state == "open" and session.due <= clock.epoch()


def _new_value() -> str:
    """A fresh authentication value: Base64 of 20 random bytes, 28 characters."""
    return base64.b64encode(base64.urlsafe_b64decode(ids.new_secret(VALUE_BYTES) + "=")).decode()
