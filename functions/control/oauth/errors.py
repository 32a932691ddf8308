"""The errors of the token endpoint (RFC 6749, 5.2; RFC 8707, 2). `code` is the `error` member."""

from __future__ import annotations

from tollgate.errors import Failure, Unauthenticated


class InvalidClient(Unauthenticated):
    """No client credentials, unknown ones or wrong ones; nobody learns which."""

    default_message = "Client authentication failed"


class TokenRefused(Failure):
    """The request is refused with status 400 and the `error` that `code` names."""

    default_message = "The request could not be served"


def invalid_request(message: str) -> TokenRefused:
    return TokenRefused(message, code="invalid_request")


def invalid_scope() -> TokenRefused:
    return TokenRefused("A scope is unknown or was not provisioned for the client", code="invalid_scope")


def invalid_target() -> TokenRefused:
    return TokenRefused("An audience is unknown or was not provisioned for the client", code="invalid_target")


def unsupported_grant_type() -> TokenRefused:
    return TokenRefused("The grant type must be client_credentials", code="unsupported_grant_type")
