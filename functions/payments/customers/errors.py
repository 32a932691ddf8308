"""What can go wrong with customers beyond what the engine refuses."""

from __future__ import annotations

from tollgate.errors import Fault, Invalid


class SameCustomer(Invalid):
    """A customer cannot be merged with itself."""

    def __init__(self) -> None:
        super().__init__([Fault("other", "must be another customer")], code="same_customer")
