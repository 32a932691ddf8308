"""What can go wrong with subscriptions beyond a body and a state."""

from __future__ import annotations

from collections.abc import Sequence

from tollgate.errors import Fault, Invalid


class ReservedExternalId(Invalid):
    """External ids that begin as those of scheduled billing are not for requests."""

    def __init__(self) -> None:
        super().__init__([Fault("externalId", "must not begin with auto/")], code="external_id_reserved")


class NotOffered(Invalid):
    """The product cannot be subscribed to now, or not so."""

    default_message = "The product is not offered"

    def __init__(self, path: str, message: str) -> None:
        super().__init__([Fault(path, message)], code="not_offered")


class ProductIncomplete(Invalid):
    """A product version that lacks something cannot be activated."""

    default_message = "The product version is not complete"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults, code="product_incomplete")


class StillInUse(Invalid):
    """Something lies below the object, which has to go first."""

    def __init__(self, what: str) -> None:
        super().__init__((), f"The object still has {what}", code="in_use")


class NoTokenToCharge(Invalid):
    """A charge without the subscriber being present needs a token."""

    default_message = "The subscription has no token that can be charged"

    def __init__(self) -> None:
        super().__init__(code="token_missing")


class NothingRunning(Invalid):
    """The subscription has no period that runs."""

    default_message = "The subscription has no period that runs"

    def __init__(self) -> None:
        super().__init__(code="state_invalid")
