"""The sandbox's acquirer as a connector."""

from __future__ import annotations

from tollgate import aws
from tollgate.store.table import Table
from vault.acquirer_simulator.models import PENDING_SECONDS
from vault.acquirer_simulator.repository import AcquirerBooks
from vault.acquirer_simulator.service import SimulatedAcquirer

__all__ = ["PENDING_SECONDS", "SimulatedAcquirer", "simulated_acquirer"]


def simulated_acquirer(sandbox_table: str) -> SimulatedAcquirer:
    return SimulatedAcquirer(AcquirerBooks(Table(sandbox_table, aws.dynamodb())))
