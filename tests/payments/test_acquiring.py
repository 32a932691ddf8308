"""What this family makes of the card zone's answers: what was refused, what nobody knows, and what never happened."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from payments.acquiring import Acquiring, CardGone, CardRefused, OperationUnknown, Outcome
from tollgate.errors import Unavailable, UpstreamTimeout

APPROVED = {"status": "approved", "processor_reference": "p-1", "reason": None, "review": False}


class Zone:
    """Answers every invocation the same way, or not at all."""

    def __init__(self, answer: Any = None, *, error: Exception | None = None, crashed: bool = False) -> None:
        self._answer, self._error, self._crashed = answer, error, crashed
        self.asked: list[dict[str, Any]] = []

    def invoke(self, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert (FunctionName, InvocationType) == ("zone", "RequestResponse")
        self.asked.append(json.loads(Payload))
        if self._error:
            raise self._error
        raw = self._answer if isinstance(self._answer, bytes) else json.dumps(self._answer).encode()
        return {"Payload": io.BytesIO(raw), **({"FunctionError": "Unhandled"} if self._crashed else {})}


def refusal(*kinds: str, **members: Any) -> dict[str, Any]:
    return {"failure": [*kinds, "Failure"], "message": "no", "faults": [], **members}


def authorise(zone: Zone) -> Outcome:
    return Acquiring(zone, "zone").authorise("t", "test", "card", "ref", amount=1, currency="EUR", capture=True)


def capture(zone: Zone) -> Outcome:
    return Acquiring(zone, "zone").carry_out("capture", "t", "test", "ref/1", "ref", amount=1, currency="EUR")


def ask(zone: Zone) -> Outcome:
    return Acquiring(zone, "zone").ask("t", "test", "ref")


OPERATIONS = (authorise, capture, ask)


@pytest.mark.parametrize("operate", OPERATIONS)
def test_an_answer_is_the_outcome(operate: Callable[[Zone], Outcome]) -> None:
    assert operate(Zone(APPROVED)) == Outcome("approved", "p-1")
    declined = {**APPROVED, "status": "declined", "reason": "do_not_honor"}
    assert operate(Zone(declined)) == Outcome("declined", "p-1", "do_not_honor")


@pytest.mark.parametrize("operate", OPERATIONS)
@pytest.mark.parametrize(
    "zone",
    [
        Zone(error=TimeoutError()), Zone(error=ConnectionResetError()), Zone(error=RuntimeError("x")),
        Zone({"errorType": "x"}, crashed=True), Zone(b"not json"), Zone(b""), Zone(refusal("UpstreamTimeout")),
        Zone(refusal("Unavailable")), Zone(refusal("Conflict")), Zone(refusal("Throttled")),
    ],
    ids=[
        "time-out", "reset", "fault", "crash", "no-json", "nothing", "upstream", "unavailable", "conflict", "throttled",
    ],
)  # fmt: skip
def test_whatever_is_no_answer_leaves_it_open(operate: Callable[[Zone], Outcome], zone: Zone) -> None:
    with pytest.raises(UpstreamTimeout):
        operate(zone)


def test_what_was_refused_before_anything_was_sent_did_not_happen() -> None:
    for operate in OPERATIONS:
        assert operate(Zone(refusal("UnknownConnector", "Invalid"))).status == "declined"
    with pytest.raises(CardGone):
        authorise(Zone(refusal("TokenNotFound", "NotFound")))
    with pytest.raises(OperationUnknown):
        ask(Zone(refusal("OperationUnknown", "NotFound")))
    assert capture(Zone(refusal("OperationUnknown", "NotFound"))).status == "declined"


def test_keeping_a_card() -> None:
    card = {"account_number": "4111111111111111", "expiry_month": 12, "expiry_year": 2040}
    fault = {"path": "$.cardData.account_number", "message": "is no card number"}
    with pytest.raises(CardRefused) as refused:
        Acquiring(Zone(refusal("Invalid", faults=[fault])), "zone").keep("t", card, lasting=False)
    assert [(each.path, each.message) for each in refused.value.faults] == [
        ("cardData.primaryAccountNumber", "is no card number")
    ]
    assert card["account_number"] not in str(refused.value)
    for zone in (Zone(error=TimeoutError()), Zone({}, crashed=True), Zone(refusal("Unavailable"))):
        with pytest.raises(Unavailable):
            Acquiring(zone, "zone").keep("t", card, lasting=True)
