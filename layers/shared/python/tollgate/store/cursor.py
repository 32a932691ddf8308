"""Cursors of lists: where the next page begins, in a form that nobody but us can read or make (AES-SIV, RFC 5297).

A cursor is bound to its owner and its list, so that another account's, another list's or a changed one is refused like
any other text. It holds the place and not the object there: what was deleted meanwhile does not break the walk.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from tollgate.crypto.keyring import Keyring

_LONGEST = 512
_DOMAIN = "cursor"


@dataclass(frozen=True, slots=True)
class Cursors:
    """Makes and reads the cursors of one list (`name`) of every owner."""

    keyring: Keyring
    name: str

    def make(self, owner: str, place: str) -> str:
        sealed = self._cipher(owner).encrypt(place.encode(), [owner.encode(), self.name.encode()])
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def reader(self, owner: str) -> Callable[[str], str]:
        """Reads a cursor of this owner; ValueError, in the words of a fault, for anything else."""

        def read(text: str) -> str:
            try:
                if len(text) > _LONGEST or not text.isascii():
                    raise ValueError
                sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
                return self._cipher(owner).decrypt(sealed, [owner.encode(), self.name.encode()]).decode()
            except (InvalidTag, ValueError, binascii.Error):
                raise ValueError("must be the cursor of a page of this list") from None

        return read

    def _cipher(self, owner: str) -> AESSIV:
        return AESSIV(bytes.fromhex(self.keyring.digest(owner, _DOMAIN, self.name.encode())))
