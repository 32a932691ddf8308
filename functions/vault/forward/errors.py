"""What can go wrong in the proxy before anything is sent, beyond what the egress guard refuses."""

from __future__ import annotations

from tollgate.errors import Forbidden, Invalid


class TokenUnusable(Invalid):
    """No live token of the account has this id: unknown, deleted, past its end and foreign are not told apart."""

    default_message = "The token cannot be used"


class SecurityCodeAbsent(Invalid):
    """The body asks for a security code that was never given, is used up, in use, or past its hour."""

    default_message = "The token has no security code that could be used"


class BadTemplate(Invalid):
    """The body cannot be filled in."""

    default_message = "The body cannot be filled in"


class BadHeaders(Invalid):
    """The headers cannot be turned into those of the request to the destination."""

    default_message = "The headers are not valid"


class DestinationForbidden(Forbidden):
    """The account does not list the destination. One message for this and for every rule of the egress guard."""

    default_message = "The destination is not permitted"
