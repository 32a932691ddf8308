"""Who is calling, as far as every family cares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Credential = Literal["api_key", "id_token", "access_token", "signed_request"]


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller, acting for one account (the tenant of everything).

    `subject` names the credential for logs and audit: a key id, an OpenID subject or a client id, never the secret.
    """

    account_id: str
    credential: Credential
    subject: str
    scopes: frozenset[str] = field(default_factory=frozenset)
