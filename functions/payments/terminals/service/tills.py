"""Credentials with which a till performs one transaction at one terminal, without a key of the merchant's.

Nothing is stored: `<space>-<terminal>-<transaction>-<expiry>-<digest>`, the digest keyed with the tenant's data key and
over all the rest. They reach this one payment and nothing else.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import Final

from payments.terminals.errors import TillCredentialsInvalid
from tollgate import clock
from tollgate.auth.directory import ACTIVE, Directory
from tollgate.crypto.keyring import Keyring

VALID_SECONDS: Final = 3600
_NUMBER: Final = "([1-9][0-9]{0,15})"
_FORM: Final = re.compile(rf"{_NUMBER}-{_NUMBER}-{_NUMBER}-([0-9]{{10,12}})-([0-9a-f]{{64}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Till:
    """What credentials name."""

    tenant: str
    space_id: int
    terminal_id: int
    transaction_id: int


class Tills:
    """Makes and reads credentials of tills."""

    def __init__(self, keyring: Keyring, directory: Directory) -> None:
        self._keyring = keyring
        self._directory = directory

    def make(self, till: Till) -> str:
        named = f"{till.space_id}-{till.terminal_id}-{till.transaction_id}-{clock.epoch() + VALID_SECONDS}"
        return f"{named}-{self._digest(till.tenant, named)}"

    def read(self, text: str) -> Till:
        """Raises:
        TillCredentialsInvalid: made up, changed, past their time, or of a space that is closed.
        """
        parts = _FORM.fullmatch(text)
        space = self._directory.space(int(parts[1])) if parts else None
        if parts is None or space is None or space.state != ACTIVE or not self._directory.is_open(space.path):
            raise TillCredentialsInvalid
        named = text.rpartition("-")[0]
        if not hmac.compare_digest(self._digest(space.tenant, named), parts[5]) or int(parts[4]) < clock.epoch():
            raise TillCredentialsInvalid
        return Till(space.tenant, int(parts[1]), int(parts[2]), int(parts[3]))

    def _digest(self, tenant: str, named: str) -> str:
        return self._keyring.digest(tenant, "till-credentials", named.encode())
