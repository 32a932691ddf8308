"""The OpenID Provider of the sandbox: `oidc-provider-mock`, someone else's code, in a process of its own.

It lets anybody be anybody, which is what a sandbox needs: the id tokens are real (signed, with a discovery document and
a key set), the log-in is not. It forgets its signing key when it stops, so tokens end with the run that issued them.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from local.http_client import HttpClient
from local.processes import Child, Launcher

START_LIMIT = 20.0
_REDIRECT = "http://127.0.0.1/signed-in"


class IdentityError(Exception):
    """The provider did not start, or refused to issue a token."""


class IdentityProvider:
    """The running provider."""

    def __init__(self, launcher: Launcher, port: int) -> None:
        self.port = port
        self._launcher = launcher
        self._child: Child | None = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it; `await_ready` waits."""
        command = [sys.executable, "-m", "oidc_provider_mock", "--host", "127.0.0.1", "--port", str(self.port)]
        environment = {"PATH": os.environ.get("PATH", ""), "NO_COLOR": "1", "MALLOC_ARENA_MAX": "2"}
        self._child = await self._launcher.start("identity", command, environment)

    async def await_ready(self) -> None:
        """Wait until it serves its discovery document.

        Raises:
            IdentityError: it ended, or did not answer in time.
        """
        if not await self._answers():
            raise IdentityError(f"the OpenID Provider did not start; see {self._launcher.log_path('identity')}")

    async def stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            await self._child.wait()

    async def _answers(self) -> bool:
        http = HttpClient(self.port)
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline and self._child is not None and self._child.is_running:
            try:
                answer = await http.request("GET", "/.well-known/openid-configuration", {})
                return answer.status == 200
            except OSError:
                await asyncio.sleep(0.05)
            finally:
                await http.close()
        return False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The code is in the redirect's address; nobody serves that address."""

    def redirect_request(self, *_: Any) -> None:
        return None


def fetch_id_token(issuer: str, client_id: str, subject: str) -> str:
    """Sign in as `subject` and return an id token: authorization code with PKCE, as any public client does it.

    Read the discovery document; POST the form of authorization_endpoint with the challenge and the wished subject; take
    the code from the redirect; exchange it, with the verifier, at token_endpoint.

    Raises:
        IdentityError: the provider is not there or refused.
    """
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    try:
        with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration", timeout=5) as answer:
            provider = json.load(answer)
        code = _authorize(provider["authorization_endpoint"], client_id, subject, challenge)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": _REDIRECT,
            "client_id": client_id,
            "client_secret": "any",  # the provider wants one, and takes any
            "code_verifier": verifier,
        }
        with urllib.request.urlopen(provider["token_endpoint"], urlencode(form).encode(), timeout=5) as answer:
            token = json.load(answer)["id_token"]
    except (OSError, ValueError, KeyError) as error:
        raise IdentityError(f"no id token from {issuer}: {error}") from None
    return str(token)


def _authorize(endpoint: str, client_id: str, subject: str, challenge: str) -> str:
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": _REDIRECT,
        "scope": "openid",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        opener.open(f"{endpoint}?{urlencode(query)}", urlencode({"sub": subject}).encode(), timeout=5)
    except urllib.error.HTTPError as redirect:
        codes = parse_qs(urlsplit(redirect.headers.get("location", "")).query).get("code")
        if codes:
            return codes[0]
    raise IdentityError("the provider sent no authorization code")
