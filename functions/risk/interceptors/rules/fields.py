"""Where a mapping may read and write. Pure.

A source is a singular path (RFC 9535) into the request's body, a target a field of the decision request. A security
code has no target and no source: a request has one, and nobody may keep it.
"""

from __future__ import annotations

import re
from typing import Final

from risk.fields import KINDS, NoField, steps_of

CREDENTIAL_NUMBERS: Final = frozenset({"credential.pan.value", "credential.masked_pan.value", "credential.sepa.iban"})
_COMPUTED: Final = frozenset(
    {"credential_fingerprint", "credential_type", "masked_credential", "context", "payment_type"}
    | {"credential.sepa.country"}
)
TARGETS: Final = frozenset(KINDS) - _COMPUTED | CREDENTIAL_NUMBERS | {"credential.type"}

_CODE: Final = re.compile(
    r"(?:[a-z0-9]+_)*(?:(?:cvc|cvv|cvn|csc|cvd)[0-9]?(?:_?(?:code|value|number))?|cid"
    r"|(?:security|verification|validation)_?(?:code|value|number)"
    r"|track_?(?:data|[12])(?:_?data)?|pin(?:_?block)?|password|passwd|secret)"
)

Steps = tuple[str | int, ...]


def pattern_of(steps: Steps) -> str:
    """`("items", 0, "name")` → `items[].name`."""
    return "".join("[]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


def target_steps(path: str) -> Steps:
    """The steps of a target. Raises NoField."""
    steps = steps_of(path)
    is_metadata = len(steps) == 2 and steps[0] == "metadata" and isinstance(steps[1], str)
    if not is_metadata and pattern_of(steps) not in TARGETS:
        raise NoField("is not a field of a decision request")
    return steps


def source_steps(path: str) -> Steps:
    """The steps of a source. Raises NoField."""
    steps = steps_of(path)
    if any(isinstance(step, str) and is_secret(step) for step in steps):
        raise NoField("must not be a security code or another secret")
    return steps


def is_secret(name: str) -> bool:
    """Whether a member of this name holds what must never be kept. `card[cvc]` counts by its last part."""
    last = re.split(r"[\[.]", name.rstrip("]"))[-1]
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|-", "_", last).lower()
    return _CODE.fullmatch(plain) is not None
