"""The token endpoint (RFC 6749, 5) and what the risk dialect makes of tokens: refusals, every route, every scope."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from control.oauth.handler import handler
from risk.blacklist.handler import ROUTES as BLACKLIST
from risk.decisions.handler import ROUTES as DECISIONS
from risk.rulesets.handler import ROUTES as RULESETS
from tests.risk.instances import BODY, Instance, request_token
from tests.support.http import send
from tollgate.auth.access_tokens import Grant, grant_of, verified_claims
from tollgate.dialects.risk import ALL_SCOPES, SCOPES
from tollgate.errors import Unauthenticated

SAMPLE = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2F1dGguZXhhbXBsZSIsInN1YiI6ImNsaWVudC0xIiwiYXVkIjpbIm15"
    "LWxvdmVseS1zcGVjdGVyLTQyIl0sInNjb3BlIjoiZGVjaXNpb25zOmNyZWF0ZSBkZWNpc2lvbnM6cmVhZCIsImlhdCI6MTc2NzIyNTYwMCwiZXhw"
    "IjoxNzY3MjI3NDAwfQ.c13z5lzV3zptTEqL_FLlRadhRRr0si1riWL03W7iCS4"
)
SAMPLE_SECRET = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def instance(provision: Callable[..., dict[str, Any]]) -> Instance:
    return new_instance(provision)


def new_instance(provision: Callable[..., dict[str, Any]]) -> Instance:
    account = provision("create_account", name="oauth", risk={"pci_level": "SAQ_D"})
    risk = account["risk"]
    return Instance(account["id"], risk["client_id"], risk["client_secret"], risk["audience"])


def ask(instance: Instance, **form: str) -> Any:
    sent = {"scope": "decisions:read decisions:create", "audience": instance.audience} | form
    return request_token(instance.client_id, instance.client_secret, **sent)


class TestToken:
    def test_is_granted_for_half_an_hour(self, instance: Instance) -> None:
        answer = ask(instance)
        assert answer.status == 200
        assert answer.headers["cache-control"] == "no-store"
        token = answer.json["access_token"]
        assert {name: value for name, value in answer.json.items() if name != "access_token"} == {
            "token_type": "bearer",
            "expires_in": 1800,
            "scope": "decisions:create decisions:read",
        }
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
        assert (header["alg"], header["typ"]) == ("HS256", "JWT")
        assert claims["aud"] == [instance.audience]
        assert claims["exp"] - claims["iat"] == 1800

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({"grant_type": "password"}, "unsupported_grant_type"),
            ({"grant_type": ""}, "invalid_request"),
            ({"scope": ""}, "invalid_request"),
            ({"scope": " "}, "invalid_request"),
            ({"audience": ""}, "invalid_request"),
            ({"scope": "decisions:created"}, "invalid_scope"),
            ({"scope": "decisions:read everything"}, "invalid_scope"),
            ({"audience": "somebody-else"}, "invalid_target"),
            ({"scope": "x" * 5000}, "invalid_request"),
        ],
    )
    def test_is_refused_in_the_words_of_the_standard(
        self, instance: Instance, form: dict[str, str], error: str
    ) -> None:
        answer = ask(instance, **form)
        assert (answer.status, answer.json["error"]) == (400, error)
        assert answer.headers["cache-control"] == "no-store"

    @pytest.mark.parametrize(
        "authorization", [None, "Basic", "Basic !!!", "Basic eA==", "Bearer x", "Basic eDp5", "Basic /////w=="]
    )
    def test_wants_a_client(self, authorization: str | None) -> None:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if authorization is not None:
            headers["authorization"] = authorization
        answer = send(handler, "POST", "/oauth2/token", headers=headers, body="grant_type=client_credentials")
        assert (answer.status, answer.json["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic ")

    def test_knows_a_wrong_secret(self, instance: Instance) -> None:
        assert request_token(instance.client_id, "x" * 43, scope="a", audience="b").status == 401

    def test_takes_a_form_and_each_parameter_once(self, instance: Instance) -> None:
        basic = base64.b64encode(f"{instance.client_id}:{instance.client_secret}".encode()).decode()
        headers = {"authorization": f"Basic {basic}"}
        answer = send(handler, "POST", "/oauth2/token", headers=headers, json_body={})
        assert (answer.status, answer.json["error"]) == (415, "invalid_request")
        headers["content-type"] = "application/x-www-form-urlencoded"
        answer = send(handler, "POST", "/oauth2/token", headers=headers, body="scope=a&scope=b&grant_type=x")
        assert (answer.status, answer.json["error"]) == (400, "invalid_request")

    def test_a_rotated_secret_holds_on_for_its_grace_period(
        self, instance: Instance, provision: Any, held_clock: Any
    ) -> None:
        made = provision("rotate_client_secret", account_id=instance.account_id, grace_seconds=60)
        fresh = Instance(instance.account_id, instance.client_id, made["risk"]["client_secret"], instance.audience)
        assert (ask(instance).status, ask(fresh).status) == (200, 200)
        held_clock.advance(seconds=61)
        assert (ask(instance).status, ask(fresh).status) == (401, 200)

    def test_a_former_signing_key_holds_until_its_tokens_end(self, instance: Instance, provision: Any) -> None:
        former = instance.token_for()
        provision("rotate_signing_key")
        from control.oauth import handler as module

        module._service._keys._read_at = None
        fresh = instance.token_for()
        kids = [json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"] for token in (former, fresh)]
        assert kids[0] != kids[1]
        for token in (former, fresh):
            instance.token = token
            assert instance.decide().status == 200

    def test_audiences_are_unique(self, instance: Instance, provision: Any) -> None:
        answer = provision("create_account", name="x", risk={"audience": instance.audience})
        assert answer["validation_errors"][0]["path"] == "$.risk.audience"
        renamed = provision(
            "update_account", account_id=instance.account_id, risk={"audience": f"n-{instance.audience}"}
        )
        assert renamed["risk"]["audience"] == f"n-{instance.audience}"
        assert provision("create_account", name="x", risk={"audience": instance.audience})["risk"]["audience"]


def encode(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class TestVerifier:
    def test_reads_the_printed_sample(self, held_clock: Any) -> None:
        held_clock.at = datetime.fromtimestamp(1767225700, UTC)
        claims = verified_claims(SAMPLE, SAMPLE_SECRET)
        assert grant_of(claims, "https://auth.example") == Grant(
            "client-1",
            "",
            frozenset({"my-lovely-specter-42"}),
            frozenset({"decisions:create", "decisions:read"}),
            1767227400,
        )
        held_clock.at = datetime.fromtimestamp(1767227460, UTC)
        grant_of(claims, "https://auth.example")
        held_clock.advance(seconds=1)
        with pytest.raises(Unauthenticated):
            grant_of(claims, "https://auth.example")

    def test_refuses_another_secret(self) -> None:
        with pytest.raises(Unauthenticated):
            verified_claims(SAMPLE, b"x" * 32)

    @pytest.mark.parametrize(
        "forge",
        [
            lambda h, c, s: f"{encode({**h, 'alg': 'none'})}.{c}.",
            lambda h, c, s: f"{encode({**h, 'alg': 'none'})}.{c}.{s}",
            lambda h, c, s: f"{encode({**h, 'alg': 'HS512'})}.{c}.{s}",
            lambda h, c, s: f"{encode({**h, 'alg': 'RS256'})}.{c}.{s}",
            lambda h, c, s: f"{encode({**h, 'kid': '../../etc/passwd'})}.{c}.{s}",
            lambda h, c, s: f"{encode({**h, 'kid': '0' * 16})}.{c}.{s}",
            lambda h, c, s: f"{encode({**h, 'crit': ['x']})}.{c}.{s}",
            lambda h, c, s: f"{encode(h)}.{c}.",
            lambda h, c, s: f"{encode(h)}.{c}.{s}=",
            lambda h, c, s: f"{encode(h)}.{c}.{s[:-2]}AA",
            lambda h, c, s: f"{encode(h)}.{c}x.{s}",
            lambda h, c, s: "a.b",
            lambda h, c, s: "x" * 10000,
            lambda h, c, s: "",
        ],
    )
    def test_refuses_forgeries(self, instance: Instance, forge: Callable[[Any, str, str], str]) -> None:
        token = instance.token_for()
        head, claims, signature = token.split(".")
        header = json.loads(base64.urlsafe_b64decode(head + "=="))
        instance.token = forge(header, claims, signature) or " "
        answer = instance.decide()
        assert (answer.status, answer.json["classifier"]) == (401, "UNAUTHORIZED")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "https://auth.example"},
            {"aud": "other"},
            {"aud": []},
            {"aud": None},
            {"exp": None},
            {"exp": "9999999999"},
            {"iat": 2**40},
            {"nbf": 2**40},
            {"scope": ["decisions:read"]},
            {"account": "somebody"},
            {"sub": None},
        ],
    )
    def test_refuses_claims_that_do_not_hold(self, instance: Instance, changes: dict[str, Any]) -> None:
        from control.oauth import handler as module

        key = module._service._keys.newest()
        assert key is not None
        claims = json.loads(base64.urlsafe_b64decode(instance.token_for().split(".")[1] + "=="))
        assert self._status(instance, key, claims) == 200
        assert self._status(instance, key, claims | {"aud": instance.audience}) == 200
        assert self._status(instance, key, claims | {"aud": f"{instance.audience}.eu1.example"}) == 401
        assert self._status(instance, key, claims | changes) == 401

    @staticmethod
    def _status(instance: Instance, key: Any, claims: dict[str, Any]) -> int:
        signed = f"{encode({'alg': 'HS256', 'typ': 'JWT', 'kid': key.id})}.{encode(claims)}"
        mac = hmac.new(key.secret, signed.encode(), hashlib.sha256).digest()
        instance.token = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
        return instance.decide().status

    def test_forgets_a_token_when_it_ends(self, instance: Instance, held_clock: Any) -> None:
        assert instance.decide().status == 200
        held_clock.advance(seconds=1861)
        assert instance.decide().status == 401

    def test_needs_the_audience_of_the_account(self, instance: Instance, provision: Any) -> None:
        other = new_instance(provision)
        other.audience = instance.audience
        answer = ask(other)
        assert (answer.status, answer.json["error"]) == (400, "invalid_target")


ALL_ROUTES = [*DECISIONS, *RULESETS, *BLACKLIST]


class TestScopes:
    @pytest.mark.parametrize("route", ALL_ROUTES, ids=lambda route: f"{route.method} {route.path}")
    def test_every_route_wants_its_own(self, instance: Instance, route: Any) -> None:
        scope = SCOPES[route.method, route.path]
        target = route.path.replace("{id}", "3f2c1a7e-5b1d-4c1e-9a55-0d6c8e1f2a3b")
        body = None if route.method in {"GET", "DELETE"} else BODY
        instance.token = instance.token_for(*(ALL_SCOPES - {scope}))
        answer = instance.send(route.method, target, json_body=body)
        assert (answer.status, answer.json["classifier"]) == (403, "FORBIDDEN")
        assert answer.headers["www-authenticate"].endswith(f'error="insufficient_scope", scope="{scope}"')
        instance.token = instance.token_for(scope)
        assert instance.send(route.method, target, json_body=body).status not in {401, 403}

    def test_names_match_whole(self, instance: Instance) -> None:
        instance.token = instance.token_for("admin:rulesets:read")
        assert instance.send("POST", "/api/admin/rulesets", json_body={}).status == 403
