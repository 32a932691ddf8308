"""Where credentials lie in the identity table, for those who write them and those who check them.

Access patterns (`pk`, `sk`):
    an account                               `ACCOUNT#<account>`,        `#`
    all API keys of an account               `ACCOUNT#<account>`,        `KEY#<key id>`
    an API key by its public part            `KEY#<key id>`,             `#`
    client ids trusted at an issuer          `ISSUER#<issuer>`,          `#`
    accounts of an OpenID subject            `MEMBER#<digest of issuer, client and subject>`, `<account>`
    an OAuth client by its id                `CLIENT#<client id>`,        `#`
    an account's risk instance               `ACCOUNT#<account>`,         `RISK`
    the account behind an audience name      `AUDIENCE#<name>`,           `#`
    keys that sign access tokens             `SIGNING-KEYS`,              `<created_at>#<key id>`
"""

from __future__ import annotations

import hashlib

PLATFORM = "platform"
"""Owner of the keyring that digests API keys and seals account secrets."""

API_KEY_DOMAIN = "api-key"

CLIENT_SECRET_DOMAIN = "client-secret"

SIGNING_KEYS = "SIGNING-KEYS"

LONGEST_ISSUER = 500


def account_key(account_id: str) -> tuple[str, str]:
    return f"ACCOUNT#{account_id}", "#"


def api_key_key(key_id: str) -> tuple[str, str]:
    return f"KEY#{key_id}", "#"


def account_api_key_key(account_id: str, key_id: str) -> tuple[str, str]:
    return f"ACCOUNT#{account_id}", f"KEY#{key_id}"


def issuer_key(issuer: str) -> tuple[str, str]:
    return f"ISSUER#{issuer}", "#"


def member_key(issuer: str, client_id: str, subject: str, account_id: str) -> tuple[str, str]:
    return member_partition(issuer, client_id, subject), account_id


def member_partition(issuer: str, client_id: str, subject: str) -> str:
    """The three parts are digested with their lengths, so that no choice of one can imitate another."""
    parts = "".join(f"{len(part)}:{part}" for part in (issuer, client_id, subject))
    return f"MEMBER#{hashlib.sha256(parts.encode()).hexdigest()}"


def oauth_client_key(client_id: str) -> tuple[str, str]:
    return f"CLIENT#{client_id}", "#"


def risk_instance_key(account_id: str) -> tuple[str, str]:
    return f"ACCOUNT#{account_id}", "RISK"


def audience_key(name: str) -> tuple[str, str]:
    return f"AUDIENCE#{name}", "#"
