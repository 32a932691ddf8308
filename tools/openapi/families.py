"""Which documents there are, and which folders of `functions/` each one covers."""

from __future__ import annotations

from tollgate.dialects.risk import ALL_SCOPES, SCOPES
from tools.openapi.document import Family

_FAULT = {
    "type": "object",
    "required": ["path", "message"],
    "properties": {
        "path": {"type": "string", "examples": ["$.schemes[0].name", "query.limit"]},
        "message": {"type": "string"},
    },
}

_VAULT_ERROR = {
    "title": "Error",
    "type": "object",
    "required": ["code", "status", "classifier", "message"],
    "properties": {
        "code": {"type": "integer", "description": "The HTTP status"},
        "status": {"type": "integer", "description": "The HTTP status"},
        "classifier": {"type": "string", "examples": ["UNAUTHORIZED", "VALIDATION_ERROR"]},
        "message": {"type": "string"},
        "validation_errors": {"type": "array", "items": _FAULT},
    },
}

_VERSION = {
    "name": "x-hellgate-version",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "enum": ["2.0"]},
    "description": "The version to use; the newest if absent",
}

_VERSION_ANSWER = {
    "x-hellgate-version": {"description": "The version in use", "required": True, "schema": {"type": "string"}}
}

VAULT = Family(
    title="Tollgate vault and 3-D Secure",
    version="2.0",
    description=(
        "Cardholder data in exchange for tokens, merchants, network tokens, the compliance proxy and "
        "standalone 3-D Secure."
    ),
    error=_VAULT_ERROR,
    security={
        "api_key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
        "id_token": {"type": "http", "scheme": "bearer", "bearerFormat": "OpenID Connect id token"},
    },
    headers=_VERSION_ANSWER,
    request_headers=(_VERSION,),
    idempotency_header="x-idempotency-key",
)

_RISK_ERROR = {
    "title": "Error",
    "type": "object",
    "required": ["classifier", "code", "message"],
    "properties": {
        "classifier": {"type": "string", "examples": ["UNAUTHORIZED", "VALIDATION_ERROR"]},
        "code": {"type": "integer", "description": "The HTTP status"},
        "message": {"type": "string"},
        "validation_errors": {"type": "array", "items": _FAULT},
    },
}

RISK = Family(
    title="Tollgate risk",
    version="1.0",
    description="Risk decisions: rulesets, velocity, blacklist, lifecycle events, backends, interceptors.",
    error=_RISK_ERROR,
    security={
        "oauth2": {
            "type": "oauth2",
            "flows": {
                "clientCredentials": {
                    "tokenUrl": "/oauth2/token",
                    "scopes": {
                        scope: ", ".join(" ".join(route) for route, taken in SCOPES.items() if taken == scope)
                        for scope in sorted(ALL_SCOPES)
                    },
                }
            },
        },
        "client": {"type": "http", "scheme": "basic", "description": "Client id and client secret"},
    },
    idempotency_header="Idempotency-Key",
    scopes=SCOPES,
)

_PAYMENTS_ERROR = {
    "title": "Error",
    "type": "object",
    "required": ["date", "id", "code", "message", "errors"],
    "properties": {
        "date": {"type": "string", "format": "date-time"},
        "id": {"type": "string", "description": "What this error is called, for questions about it"},
        "code": {"type": "string", "examples": ["content_invalid", "version_conflict", "query_too_broad"]},
        "message": {"type": "string"},
        "errors": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Member or parameter → what is wrong with it",
        },
    },
}


def _scope_header(name: str, text: str) -> dict[str, object]:
    return {
        "name": name, "in": "header", "required": True, "schema": {"type": "integer", "format": "int64", "minimum": 1},
        "description": text,
    }  # fmt: skip


PAYMENTS = Family(
    title="Tollgate payments",
    version="2.0",
    description=(
        "Transactions and all that belongs to them, customers, configurations, users and reference data. Everything is "
        "served under `/api/v2` as well. Every request carries a JWT that an application user's key signs and that is "
        "bound to the request's method and target."
    ),
    error=_PAYMENTS_ERROR,
    security={
        "signed_request": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT, HS256, bound to the request"}
    },
    scope_headers={
        "space": _scope_header("Space", "The space that the operation acts in"),
        "account": _scope_header("Account", "The account that the operation acts on"),
    },
    numbers_in_paths=True,
)

PLATFORM = Family(
    title="Tollgate platform and sandbox",
    version="1.0",
    description="Health, documents, and the routes that exist only in a sandbox.",
    error=_VAULT_ERROR,
    security={},
    headers=_VERSION_ANSWER,
)

FAMILIES: dict[str, tuple[Family, tuple[str, ...]]] = {
    "vault": (VAULT, ("vault", "threeds")),
    "payments": (PAYMENTS, ("payments",)),
    "risk": (RISK, ("risk", "control/oauth")),
    "platform": (PLATFORM, ("control/health", "control/documents", "control/sandbox")),
}
"""Document name → its family and the folders whose `handler.py` it covers. A group whose routes follow another family's
conventions than its folder's siblings declares `DOCUMENT = "<name>"` in its handler."""
