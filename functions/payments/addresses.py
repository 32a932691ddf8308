"""Where this deployment is reached, for addresses that are handed to buyers' browsers."""

from __future__ import annotations

import re
from typing import Final

from tollgate.http.message import Request

_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")


def base_url(configured: str, request: Request) -> str:
    """The address as the template gives it, or as the client called: the gateway's word for the scheme, the client's
    own for the host."""
    if configured:
        return configured.rstrip("/")
    host = request.header("host") or ""
    if not _HOST.fullmatch(host):
        host = request.event["requestContext"].get("domainName", "")
    return f"{'http' if request.header('x-forwarded-proto') == 'http' else 'https'}://{host}"
