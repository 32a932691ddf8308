"""The port to a token service provider (EMV Payment Tokenisation): enrol a card, end a network token, get a cryptogram.

Every operation is named by an id of ours and may be repeated: the provider answers a repetition as it answered the
first time. So a call whose outcome is unknown is settled by making it again.
"""

from __future__ import annotations

from typing import Protocol

from vault.network_tokens.errors import NetworkTokenEnded
from vault.network_tokens.models import CryptogramRequest, Enrolment, Outcome


class TokenServiceProvider(Protocol):
    """What we need of a provider. Each raises `Upstream` or `Unavailable` where nothing is known."""

    def enrol(self, enrolment: Enrolment) -> Outcome:
        """The network token of a card."""

    def delete(self, enrolment_id: str) -> None:
        """End a network token; one that is not there is no error."""

    def cryptogram(self, request: CryptogramRequest) -> str:
        """A transaction authentication verification value (TAVV): 20 bytes in base64.

        Raises:
            NetworkTokenEnded: the network token is not active; carries its status.
        """


class NoProvider:
    """Where no provider is connected there are no network tokens."""

    def enrol(self, enrolment: Enrolment) -> Outcome:  # noqa: ARG002
        return Outcome("not_available")

    def delete(self, enrolment_id: str) -> None:
        """There is nothing to end."""

    def cryptogram(self, request: CryptogramRequest) -> str:  # noqa: ARG002
        raise NetworkTokenEnded("not_available")
