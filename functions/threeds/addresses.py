"""Where this deployment is reached: by the directory server, by the cardholder's browser, in a sandbox by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from tollgate.http.origin import base_url

DIRECTORY_PATH: Final = "/sandbox/3ds/directory-server"
ACS_PATH: Final = "/sandbox/3ds/acs"
ACS_CHALLENGE_PATH: Final = "/sandbox/3ds/acs/challenge"
RESULTS_PATH: Final = "/authentications/results"
CHALLENGES_PATH: Final = "/authentications/challenges"


@dataclass(frozen=True, slots=True)
class Addresses:
    """The URLs of one deployment, below its base URL (which has no slash at its end)."""

    base: str

    @property
    def directory(self) -> str:
        """The simulated directory server."""
        return self.base + DIRECTORY_PATH

    @property
    def acs(self) -> str:
        """Where the simulated access control server takes AReq messages."""
        return self.base + ACS_PATH

    @property
    def acs_challenge(self) -> str:
        """Where browsers take CReq messages of the simulated access control server."""
        return self.base + ACS_CHALLENGE_PATH

    @property
    def results(self) -> str:
        """Where our 3-D Secure server takes RReq messages."""
        return self.base + RESULTS_PATH

    def challenge(self, session_id: str) -> str:
        """Our page that hands a browser over to a challenge, and where the browser comes back to."""
        return f"{self.base}{CHALLENGES_PATH}/{session_id}"


def addresses(configured: str, event: Mapping[str, Any]) -> Addresses:
    """The addresses as the template gives them, or as the gateway was called."""
    return Addresses(base_url(configured, event))


def origin(url: str) -> str:
    """Scheme and host of a URL, for a content security policy."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
