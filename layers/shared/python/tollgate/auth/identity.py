"""Who a credential stands for: API keys and OpenID Connect id tokens, against the identity table.

The parts that an id token needs are loaded when the first one comes; a call with an API key never pays for them.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from tollgate import aws
from tollgate.auth import records
from tollgate.auth.api_keys import ApiKeys
from tollgate.auth.caller import Caller
from tollgate.config import CallerSettings
from tollgate.crypto.keyring import Keyring
from tollgate.crypto.keys import Kms
from tollgate.errors import Forbidden, Invalid, Unauthenticated
from tollgate.store.table import Table

if TYPE_CHECKING:
    from tollgate.auth.oidc import IdTokenVerifier, Registration

_MOST_ACCOUNTS = 100


class Identity:
    """The credentials of all accounts."""

    def __init__(self, table: Table, keyring: Keyring, allow_targets: tuple[str, ...] = ()) -> None:
        self._table = table
        self._api_keys = ApiKeys(table, keyring)
        self._allow_targets = allow_targets

    @classmethod
    def of(cls, settings: CallerSettings) -> Identity:
        """The identity of a deployed function, from its settings."""
        table = Table(settings.identity_table, aws.dynamodb())
        keyring = Keyring(table, Kms(aws.kms(), settings.platform_key_id), "platform")
        return cls(table, keyring, settings.sandbox_allow_targets if settings.is_sandbox else ())

    def by_api_key(self, api_key: str) -> Caller:
        return self._api_keys.authenticate(api_key)

    def by_bearer(self, authorization: str, account_id: str | None, account_path: str) -> Caller:
        """The caller of an id token, acting for the account named, or for the only one the person has.

        Raises:
            Unauthenticated: not a bearer token that holds, or nobody we know.
            Forbidden: the person does not belong to the account named.
            Invalid: several accounts and none named; the fault is at `account_path`.
        """
        subject, accounts = self.prove_bearer(authorization)
        if account_id is None and len(accounts) > 1:
            raise Invalid.at(account_path, "is required, because the subject belongs to more than one account")
        if account_id is not None and account_id not in accounts:
            raise Forbidden("The subject does not belong to this account")
        return Caller(account_id or accounts[0], "id_token", subject)

    def prove_bearer(self, authorization: str) -> tuple[str, list[str]]:
        """The subject of an id token and the accounts it belongs to, at least one.

        Raises:
            Unauthenticated: not a bearer token that holds, or nobody we know.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated
        proved = self._verifier.verify(token.strip())
        partition = records.member_partition(proved.issuer, proved.client_id, proved.subject)
        accounts = [str(row["sk"]) for row in self._table.query(partition, limit=_MOST_ACCOUNTS)]
        if not accounts:
            raise Unauthenticated
        return proved.subject, accounts

    @cached_property
    def _verifier(self) -> IdTokenVerifier:
        from tollgate.auth.oidc import IdTokenVerifier
        from tollgate.egress import Egress

        return IdTokenVerifier(self._find_issuer, Egress(frozenset(self._allow_targets)))

    def _find_issuer(self, issuer: str) -> Registration | None:
        from tollgate.auth.oidc import Registration

        if len(issuer) > records.LONGEST_ISSUER:
            return None
        item = self._table.get(*records.issuer_key(issuer))
        return Registration(issuer, frozenset(item["client_ids"])) if item else None
