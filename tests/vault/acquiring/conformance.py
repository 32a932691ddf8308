"""What every connector must keep to, whatever acquirer is behind it. A connector's tests subclass `Conformance`.

`acquirer` is the connector under test; `approved`, `declined` and `silent` are card numbers that its acquirer (a
sandbox of it) approves, declines, and approves without an answer.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tollgate.errors import Conflict, UpstreamTimeout
from vault.acquirers import Acquirer, CardOnFile, Kind, Operation, OperationUnknown, Outcome


class Conformance:
    approved: str
    declined: str
    silent: str

    @pytest.fixture
    def acquirer(self) -> Acquirer:
        raise NotImplementedError

    @pytest.fixture
    def account_id(self) -> str:
        return str(uuid.uuid4())

    def operation(self, account_id: str, kind: Kind = "authorise", **changes: Any) -> Operation:
        made = Operation(account_id, kind, str(uuid.uuid4()), 10000, "EUR")
        return replace(made, **changes)

    def card(self, number: str) -> CardOnFile:
        return CardOnFile(number, 12, 2040, "Jane Doe")

    def authorised(self, acquirer: Acquirer, account_id: str) -> Operation:
        asked = self.operation(account_id)
        assert acquirer.authorise(asked, self.card(self.approved)).status == "approved"
        return asked

    def later(self, authorised: Operation, kind: Kind, amount: int = 10000) -> Operation:
        return replace(authorised, kind=kind, reference=str(uuid.uuid4()), amount=amount, parent=authorised.reference)

    # ------------------------------------------------------------------ decisions

    def test_approves(self, acquirer: Acquirer, account_id: str) -> None:
        outcome = acquirer.authorise(self.operation(account_id), self.card(self.approved))
        assert (outcome.status, outcome.reason) == ("approved", None)
        assert outcome.processor_reference

    def test_declines_with_a_reason(self, acquirer: Acquirer, account_id: str) -> None:
        outcome = acquirer.authorise(self.operation(account_id), self.card(self.declined))
        assert outcome.status == "declined"
        assert outcome.reason is not None

    def test_captures_voids_and_refunds(self, acquirer: Acquirer, account_id: str) -> None:
        first, second = self.authorised(acquirer, account_id), self.authorised(acquirer, account_id)
        assert acquirer.carry_out(self.later(first, "capture")).status == "approved"
        assert acquirer.carry_out(self.later(first, "refund", 4000)).status == "approved"
        assert acquirer.carry_out(self.later(second, "void")).status == "approved"

    def test_captures_at_once_if_asked_to(self, acquirer: Acquirer, account_id: str) -> None:
        asked = self.operation(account_id, capture=True)
        acquirer.authorise(asked, self.card(self.approved))
        assert acquirer.carry_out(self.later(asked, "capture", 1)).status == "declined"
        assert acquirer.carry_out(self.later(asked, "refund")).status == "approved"

    # ------------------------------------------------------------------ bounds

    def test_gives_no_more_than_was_authorised(self, acquirer: Acquirer, account_id: str) -> None:
        authorised = self.authorised(acquirer, account_id)
        assert acquirer.carry_out(self.later(authorised, "capture", 6000)).status == "approved"
        assert acquirer.carry_out(self.later(authorised, "capture", 4001)).status == "declined"

    def test_pays_back_no_more_than_was_captured(self, acquirer: Acquirer, account_id: str) -> None:
        authorised = self.authorised(acquirer, account_id)
        acquirer.carry_out(self.later(authorised, "capture", 6000))
        assert acquirer.carry_out(self.later(authorised, "refund", 6000)).status == "approved"
        assert acquirer.carry_out(self.later(authorised, "refund", 1)).status == "declined"

    def test_captures_nothing_that_was_voided_nor_the_other_way_round(
        self, acquirer: Acquirer, account_id: str
    ) -> None:
        voided, captured = self.authorised(acquirer, account_id), self.authorised(acquirer, account_id)
        acquirer.carry_out(self.later(voided, "void"))
        acquirer.carry_out(self.later(captured, "capture"))
        assert acquirer.carry_out(self.later(voided, "capture")).status == "declined"
        assert acquirer.carry_out(self.later(captured, "void")).status == "declined"

    # ------------------------------------------------------------------ repetition and silence

    def test_a_repetition_has_no_second_effect(self, acquirer: Acquirer, account_id: str) -> None:
        asked = self.operation(account_id)
        first = acquirer.authorise(asked, self.card(self.approved))
        assert acquirer.authorise(asked, self.card(self.approved)) == first
        capture = self.later(asked, "capture", 10000)
        outcomes = [acquirer.carry_out(capture) for _ in range(3)]
        assert {each.status for each in outcomes} == {"approved"}
        assert len({each.processor_reference for each in outcomes}) == 1

    def test_simultaneous_repetitions_have_one_effect(self, acquirer: Acquirer, account_id: str) -> None:
        authorised = self.authorised(acquirer, account_id)
        acquirer.carry_out(self.later(authorised, "capture"))
        refund = self.later(authorised, "refund", 6000)
        with ThreadPoolExecutor(4) as executor:
            outcomes: list[Outcome] = list(executor.map(acquirer.carry_out, [refund] * 4))
        assert len({each.processor_reference for each in outcomes}) == 1
        assert acquirer.carry_out(self.later(authorised, "refund", 4000)).status == "approved"

    def test_a_reference_is_of_one_operation(self, acquirer: Acquirer, account_id: str) -> None:
        asked = self.operation(account_id)
        acquirer.authorise(asked, self.card(self.approved))
        with pytest.raises(Conflict):
            acquirer.authorise(replace(asked, amount=9999), self.card(self.approved))

    def test_says_what_became_of_an_operation(self, acquirer: Acquirer, account_id: str) -> None:
        asked = self.operation(account_id)
        outcome = acquirer.authorise(asked, self.card(self.approved))
        assert acquirer.ask(account_id, asked.reference) == outcome

    def test_says_so_after_silence_too(self, acquirer: Acquirer, account_id: str) -> None:
        asked = self.operation(account_id)
        with pytest.raises(UpstreamTimeout):
            acquirer.authorise(asked, self.card(self.silent))
        assert acquirer.ask(account_id, asked.reference).status == "approved"

    def test_knows_nothing_of_what_it_was_never_asked(self, acquirer: Acquirer, account_id: str) -> None:
        with pytest.raises(OperationUnknown):
            acquirer.ask(account_id, str(uuid.uuid4()))

    def test_tells_nothing_to_another_account(self, acquirer: Acquirer, account_id: str) -> None:
        asked = self.authorised(acquirer, account_id)
        with pytest.raises(OperationUnknown):
            acquirer.ask(str(uuid.uuid4()), asked.reference)
