"""Where a request reached this deployment, for URLs that lead back to it.

The template's BaseUrl decides where it is given. Otherwise the address is the one that the gateway was called at, which
the gateway has checked; a template cannot name it, since functions and gateway would then wait for each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")


def base_url(configured: str, event: Mapping[str, Any]) -> str:
    """The base URL, without a slash at its end; `event` is the gateway's."""
    if configured:
        return configured.rstrip("/")
    host = str(event["requestContext"].get("domainName") or event.get("headers", {}).get("host", ""))
    return f"https://{host if _HOST.fullmatch(host) else 'localhost'}"
