"""What can go wrong with a refund beyond its body and its state."""

from __future__ import annotations

from tollgate.errors import Invalid


class RefundTooLarge(Invalid):
    """More than was completed and not yet paid back."""

    default_message = "The refund is larger than what can be paid back"
