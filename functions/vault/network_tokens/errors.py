"""What a token service provider may say instead of a cryptogram."""

from __future__ import annotations

from vault.tokenisation import Status


class NetworkTokenEnded(Exception):
    """The provider gives no cryptogram, because the network token is not active (any more)."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status
