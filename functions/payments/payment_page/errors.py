"""What can go wrong on the page beyond what paying itself refuses."""

from __future__ import annotations

from tollgate.errors import Forbidden, NotFound


class PageNotFound(NotFound):
    """The address is of no transaction, or is past its time; which, is told to nobody."""

    default_message = "This payment link is not valid any more"


class ForeignSession(Forbidden):
    """The card was entered for another transaction."""

    default_message = "The card was entered for another payment"
