"""What follows from a scheme, and how authentication data is sealed for a merchant. Pure."""

from __future__ import annotations

import base64
import json
from typing import Final

from vault import pans
from vault.network_tokens.models import AuthenticationData

# For a network token without 3-D Secure. Acquirers of American Express also take 20; change it here.
ECI: Final[dict[str, str]] = {pans.VISA: "07", pans.MASTERCARD: "06", pans.AMERICAN_EXPRESS: "07"}

ATTEMPTS: Final = 24
_PAUSES: Final = (180, 300, 600, 1800, 3600)


def pause_before(attempt: int) -> int:
    """Seconds until work is looked at again whose attempt (from 1) has begun: longer than an attempt can take."""
    return _PAUSES[min(attempt, len(_PAUSES)) - 1]


def seal(encryption_key: str, data: AuthenticationData) -> str:
    """A compact JWE (`dir`, A256GCM; RFC 7516) that the merchant's `encryption_key` opens, a base64url JWK."""
    from joserfc import jwe  # a tenth of a second that only payments with network tokens pay
    from joserfc.jwk import OctKey

    padded = encryption_key + "=" * (-len(encryption_key) % 4)
    key = OctKey.import_key(json.loads(base64.urlsafe_b64decode(padded)))
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()
    return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, text, key, algorithms=["dir", "A256GCM"])
