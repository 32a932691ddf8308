"""Many tokens in one transaction: all or none, and as many as `BATCH` says whatever the cards carry."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.support.http import Merchant
from tollgate.store.transaction import Transaction
from vault.cards import Card
from vault.tokens import handler as tokens
from vault.tokens.models import Token
from vault.tokens.public import BATCH, NewCard

SCHEMES = ("4242424242424242", "5555555555554444", "378282246310005", "6011111111111117")


def fullest(number: int) -> NewCard:
    """A card with all that an import knows of one."""
    card = Card(SCHEMES[number % len(SCHEMES)], 4, 2040, "Jane Doe")
    return NewCard(card, import_provider="stripe", business_key=f"pm_{number}")


def test_fullest_batch_fits_one_transaction(make_merchant: Callable[..., Merchant]) -> None:
    merchant = make_merchant(tokens.handler)
    made: list[Token] = []

    def mark(_: Transaction, tokens: Sequence[Token]) -> None:
        made.extend(tokens)

    tokens._service.tokenise_batch(merchant.account_id, [fullest(n) for n in range(BATCH)], mark)
    page = merchant.send("GET", "/tokens?limit=50").json
    assert {each["id"] for each in page["data"]} == {each.id for each in made}
    assert page["total_items"] == BATCH


@pytest.mark.parametrize(
    "cards", [[fullest(n) for n in range(BATCH + 1)], [NewCard(Card(SCHEMES[0], 4, 2040, None, "123"))]]
)
def test_more_than_a_transaction_holds_is_a_mistake_of_ours(
    make_merchant: Callable[..., Merchant], cards: list[NewCard]
) -> None:
    merchant = make_merchant(tokens.handler)
    with pytest.raises(ValueError, match="at most"):
        tokens._service.tokenise_batch(merchant.account_id, cards)
    assert merchant.send("GET", "/tokens").json["total_items"] == 0
