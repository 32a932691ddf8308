"""Stripe, for the modules that need it: localstripe and the peer before it, started once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.vault.acquiring import stripe_peer
from tests.vault.acquiring.stripe_cases import connector
from tests.vault.acquiring.stripe_peer import KEY, StripePeer
from vault.acquirer_stripe.public import StripeConnector


@pytest.fixture(scope="session")
def running() -> Iterator[StripePeer]:
    with stripe_peer.running() as peer:
        yield peer


@pytest.fixture
def peer(running: StripePeer) -> StripePeer:
    """The peer, with nothing seen and nothing going wrong."""
    running.forget()
    return running


@pytest.fixture
def acquirer(peer: StripePeer) -> StripeConnector:
    return connector(peer.base)


@pytest.fixture
def account_id(acquirer: StripeConnector, peer: StripePeer) -> str:
    """An account that is connected."""
    account = str(uuid.uuid4())
    acquirer.connect(account, "shop", KEY)
    peer.forget()
    return account
