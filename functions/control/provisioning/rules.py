"""What an account's names become. Pure."""

from __future__ import annotations

import re

_LONGEST = 50


def audience_from(name: str) -> str:
    """A name as an audience: lower-case letters, digits and hyphens; empty when nothing of it is left."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:_LONGEST].strip("-")
