"""What can go wrong with a transaction beyond its body and its state."""

from __future__ import annotations

from tollgate.errors import Invalid, NotFound


class NoWay(Invalid):
    """No connector of the space can take this payment."""

    default_message = "No payment connector configuration of the space can take this payment"

    def __init__(self) -> None:
        super().__init__(code="no_connector")


class NoToken(Invalid):
    """The transaction has no token that can be charged."""

    default_message = "The transaction has no token that can be charged"

    def __init__(self, message: str | None = None) -> None:
        super().__init__((), message, code="token_invalid")


class CredentialsInvalid(NotFound):
    """The credentials are of no transaction, or are past their time."""

    default_message = "The credentials are not valid"


class OperationRunning(Invalid):
    """A completion or a void of the transaction is under way."""

    default_message = "Another operation on the transaction is under way"

    def __init__(self) -> None:
        super().__init__(code="state_invalid")
