"""Grants access tokens to clients that prove themselves: the scopes and audiences asked for, or none."""

from __future__ import annotations

import hmac

from control.oauth.errors import InvalidClient, invalid_request, invalid_scope, invalid_target
from control.oauth.models import Client, TokenView
from control.oauth.repository import ClientRepository
from tollgate import clock, ids
from tollgate.auth import records
from tollgate.auth.access_tokens import LIFETIME_SECONDS, Grant, SigningKeys, issue
from tollgate.auth.instances import Instances
from tollgate.crypto.keyring import Keyring
from tollgate.dialects.risk import ALL_SCOPES
from tollgate.errors import Unavailable

LONGEST_LIST = 4096


class TokenService:
    """The client credentials grant (RFC 6749, 4.4)."""

    def __init__(self, clients: ClientRepository, instances: Instances, keys: SigningKeys, keyring: Keyring) -> None:
        self._clients = clients
        self._instances = instances
        self._keys = keys
        self._keyring = keyring

    def authenticate(self, client_id: str, secret: str) -> Client:
        """The client that these credentials prove.

        Raises:
            InvalidClient: they prove none.
        """
        client = self._clients.find(client_id) if ids.is_uuid(client_id) else None
        if client is None:
            raise InvalidClient
        message = f"{client_id}:{secret}".encode("utf-8", "replace")
        given = self._keyring.digest(records.PLATFORM, records.CLIENT_SECRET_DOMAIN, message)
        if not any(hmac.compare_digest(each, given) for each in client.digests):
            raise InvalidClient
        return client

    def grant(self, client: Client, scope: str | None, audience: str | None) -> TokenView:
        """A token for the scopes and audiences asked for; both have to be named, there is no default.

        Raises:
            TokenRefused: `invalid_request`, `invalid_scope`, `invalid_target`.
        """
        scopes, audiences = _names(scope, "scope"), _names(audience, "audience")
        if not scopes <= ALL_SCOPES:
            raise invalid_scope()
        instance = self._instances.find(client.account_id)
        if instance is None or audiences != {instance.audience}:
            raise invalid_target()
        key = self._keys.newest()
        if key is None:
            raise Unavailable
        end = clock.epoch() + LIFETIME_SECONDS
        return {
            "access_token": issue(Grant(client.id, client.account_id, audiences, scopes, end), key),
            "token_type": "bearer",
            "expires_in": LIFETIME_SECONDS,
            "scope": " ".join(sorted(scopes)),
        }


def _names(text: str | None, parameter: str) -> frozenset[str]:
    """The names in a space-delimited list (RFC 6749, 3.3)."""
    if text is None or not text.strip(" "):
        raise invalid_request(f"The parameter {parameter} is required")
    if len(text) > LONGEST_LIST:
        raise invalid_request(f"The parameter {parameter} must have at most {LONGEST_LIST} characters")
    return frozenset(text.split(" ")) - {""}
