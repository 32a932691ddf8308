"""What can go wrong when a buyer opens a link."""

from __future__ import annotations

from tollgate.errors import Conflict, NotFound


class LinkNotFound(NotFound):
    """There is no such link, it is not active, or the key is missing; which, is told to nobody."""

    default_message = "This payment link is not valid"


class LinkClosed(Conflict):
    """The link is not open now, or has been used as often as it may."""

    default_message = "This payment link is not available"

    def __init__(self) -> None:
        super().__init__(code="link_closed")
