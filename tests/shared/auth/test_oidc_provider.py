"""Id tokens from a provider that nobody here wrote, by authorization code and PKCE."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import urllib3

from tests.shared.auth.issuers import (
    CLIENT,
    HeldClock,
    b64,
    raw_token,
)
from tollgate import clock
from tollgate.auth.oidc import IdTokenVerifier, IssuerDown, Registration, TokenRefused
from tollgate.egress import Egress


class Provider:
    """`oidc-provider-mock` in a process of its own: a provider that nobody here wrote."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.listed = f"127.0.0.1:{port}"
        self._http = urllib3.PoolManager(retries=False)

    def answers(self) -> bool:
        try:
            return self._http.request("GET", self.url + "/.well-known/openid-configuration").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def id_token(self, client_id: str, subject: str) -> str:
        """Authorization code with PKCE (RFC 7636), as a browser and a client would do it."""
        found = json.loads(self._http.request("GET", self.url + "/.well-known/openid-configuration").data)
        verifier = secrets.token_urlsafe(48)
        asked = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": "http://127.0.0.1:9/callback",
            "scope": "openid",
            "state": secrets.token_urlsafe(8),
            "code_challenge": b64(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        place = f"{found['authorization_endpoint']}?{urlencode(asked)}"
        form = self._http.request("GET", place)
        assert client_id in html.unescape(form.data.decode())
        agreed = self._http.request("POST", place, fields={"sub": subject}, encode_multipart=False, redirect=False)
        returned = parse_qs(urlsplit(agreed.headers["location"]).query)
        assert returned["state"] == [asked["state"]]
        exchange = {
            "grant_type": "authorization_code",
            "code": returned["code"][0],
            "redirect_uri": asked["redirect_uri"],
            "client_id": client_id,
            "client_secret": "any",
            "code_verifier": verifier,
        }
        got = self._http.request("POST", found["token_endpoint"], fields=exchange, encode_multipart=False)
        assert got.status == 200, got.data
        return str(json.loads(got.data)["id_token"])


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            started = Provider(port)
            deadline = time.monotonic() + 20
            while not started.answers():
                assert process.poll() is None, process.stderr and process.stderr.read()
                assert time.monotonic() < deadline, "the provider did not start"
                threading.Event().wait(0.05)
            yield started
        finally:
            process.terminate()


class TestProviderFromElsewhere:
    @pytest.fixture(autouse=True)
    def _real_time(self, held: HeldClock) -> None:
        clock.use(clock.Clock())

    def verifier(self, provider: Provider) -> IdTokenVerifier:
        registration = Registration(provider.url, frozenset({CLIENT}))
        return IdTokenVerifier({provider.url: registration}.get, Egress([provider.listed]))

    def test_a_token_from_code_and_pkce_holds(self, provider: Provider) -> None:
        proved = self.verifier(provider).verify(provider.id_token(CLIENT, "auth|alice"))
        assert proved[:3] == (provider.url, "auth|alice", CLIENT)
        assert clock.now() < proved.expires_at < clock.now() + timedelta(days=1)

    def test_a_token_for_another_client_does_not(self, provider: Provider) -> None:
        with pytest.raises(TokenRefused) as refusal:
            self.verifier(provider).verify(provider.id_token("someone-else", "auth|alice"))
        assert refusal.value.reason == "audience"

    def test_a_token_grown_old_does_not(self, provider: Provider) -> None:
        token = provider.id_token(CLIENT, "auth|alice")
        expires_at = self.verifier(provider).verify(token).expires_at
        clock.use(clock.Clock(lambda: expires_at + timedelta(seconds=60)))
        with pytest.raises(TokenRefused) as refusal:
            self.verifier(provider).verify(token)
        assert refusal.value.reason == "expired"

    def test_a_token_altered_on_the_way_does_not(self, provider: Provider) -> None:
        header, claims, signature = provider.id_token(CLIENT, "auth|alice").split(".")
        altered = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"sub": "auth|admin"}
        with pytest.raises(TokenRefused) as refusal:
            self.verifier(provider).verify(f"{header}.{b64(altered)}.{signature}")
        assert refusal.value.reason == "signature"

    def test_a_provider_that_has_gone_away(self, provider: Provider) -> None:
        token = provider.id_token(CLIENT, "auth|alice")
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        with socket.create_server(("127.0.0.1", 0)) as free:
            gone = f"127.0.0.1:{free.getsockname()[1]}"
        registration = Registration(f"http://{gone}", frozenset({CLIENT}))
        verifier = IdTokenVerifier(lambda _issuer: registration, Egress([gone]))
        moved = raw_token({"alg": "RS256"}, claims | {"iss": f"http://{gone}"})
        with pytest.raises(IssuerDown):
            verifier.verify(moved)
