"""The sandbox's acquirer: the port's rules, and its own."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.vault.acquiring.conformance import Conformance
from tollgate.errors import UpstreamTimeout
from vault.acquirer_simulator.public import PENDING_SECONDS, simulated_acquirer
from vault.acquirers import Acquirer, Authentication, OperationUnknown


class TestSimulatedAcquirer(Conformance):
    approved, declined, silent = "4111111111111111", "4000000000000002", "4000000000000119"

    @pytest.fixture
    def acquirer(self) -> Acquirer:
        return simulated_acquirer(os.environ["SANDBOX_TABLE"])

    @pytest.mark.parametrize(
        ("number", "reason"),
        [("4000000000000002", "do_not_honor"), ("4000000000009995", "insufficient_funds"),
         ("4000000000000069", "expired_card"), ("4000000000003220", "authentication_required")],
    )  # fmt: skip
    def test_declines_by_card(self, acquirer: Acquirer, account_id: str, number: str, reason: str) -> None:
        assert acquirer.authorise(self.operation(account_id), self.card(number)).reason == reason

    def test_takes_an_authenticated_cardholder(self, acquirer: Acquirer, account_id: str) -> None:
        asked = self.operation(account_id, authentication=Authentication("05"))
        assert acquirer.authorise(asked, self.card("4000000000003220")).status == "approved"

    def test_asks_no_authentication_of_who_is_not_there(self, acquirer: Acquirer, account_id: str) -> None:
        asked = self.operation(account_id, merchant_initiated=True)
        assert acquirer.authorise(asked, self.card("4000000000003220")).status == "approved"

    def test_decides_a_pending_payment_in_time(self, acquirer: Acquirer, account_id: str, held_clock: Any) -> None:
        for number, status in (("4000000000000259", "approved"), ("4000000000000267", "declined")):
            asked = self.operation(account_id)
            assert acquirer.authorise(asked, self.card(number)).status == "pending"
            held_clock.advance(seconds=PENDING_SECONDS - 1)
            assert acquirer.ask(account_id, asked.reference).status == "pending"
            held_clock.advance(seconds=1)
            assert acquirer.ask(account_id, asked.reference).status == status

    def test_loses_an_operation(self, acquirer: Acquirer, account_id: str) -> None:
        asked = self.operation(account_id)
        with pytest.raises(UpstreamTimeout):
            acquirer.authorise(asked, self.card("4000000000000143"))
        with pytest.raises(OperationUnknown):
            acquirer.ask(account_id, asked.reference)

    @pytest.mark.parametrize(("amount", "status"), [(6001, "declined"), (6002, "pending"), (6000, "approved")])
    def test_decides_by_the_end_of_an_amount(
        self, acquirer: Acquirer, account_id: str, amount: int, status: str
    ) -> None:
        authorised = self.authorised(acquirer, account_id)
        assert acquirer.carry_out(self.later(authorised, "capture", amount)).status == status

    def test_declines_a_void_by_the_end_of_what_was_authorised(self, acquirer: Acquirer, account_id: str) -> None:
        asked = self.operation(account_id, amount=16101)
        acquirer.authorise(asked, self.card(self.approved))
        assert acquirer.carry_out(self.later(asked, "void", 16101)).status == "declined"

    def test_asks_for_a_look_before_delivery(self, acquirer: Acquirer, account_id: str) -> None:
        assert acquirer.authorise(self.operation(account_id), self.card("4000000000009235")).review
