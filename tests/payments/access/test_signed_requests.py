"""Requests signed one by one: what a token must be, byte for byte, and in which order a request is judged."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from tests.support.http import Response, send
from tests.support.payments import BASE, Merchant, encode, token
from tollgate import config
from tollgate.auth.request_tokens import NEWEST_SECONDS, OLDEST_SECONDS
from tollgate.config import PaymentsSettings
from tollgate.dialects.payments import PAYMENTS, SIGNED, SPACE, Authenticator, caller_of
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.route import Route
from tollgate.log import Journal


def probe(request: Request) -> Answer:
    caller = caller_of(request)
    return Answer(200, {"user": caller.user_id, "space": caller.space, "partition": caller.partition})


ROUTES = (
    Route("GET", f"{BASE}/probes", probe, "List", SIGNED, permission="customer.read", scope=SPACE),
    Route("POST", f"{BASE}/probes", probe, "Create", SIGNED, permission="customer.create", scope=SPACE, body=dict),
    Route("GET", f"{BASE}/probes/{{id}}", probe, "Read", SIGNED, permission="customer.read", scope=SPACE),
    Route("PATCH", f"{BASE}/probes/{{id}}", probe, "Update", SIGNED, permission="customer.update", scope=SPACE),
    Route("DELETE", f"{BASE}/probes/{{id}}", probe, "Delete", SIGNED, permission="customer.delete", scope=SPACE),
)
_SETTINGS = config.load(PaymentsSettings)
door = App(PAYMENTS, ROUTES, journal=Journal("probe"), authenticate=Authenticator.of(_SETTINGS))


def with_token(merchant: Merchant, made: str, target: str = "/probes", method: str = "GET") -> Response:
    headers = {"authorization": f"Bearer {made}", "space": str(merchant.space_id)}
    return send(door, method, BASE + target, headers=headers)


def status(merchant: Merchant, made: str, target: str = "/probes", method: str = "GET") -> int:
    return with_token(merchant, made, target, method).status


HEADER = {"alg": "HS256", "typ": "JWT", "ver": 1}


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "HS256", "type": "JWT", "ver": 1},
        {"alg": "HS256", "typ": "JWT", "ver": 1},
        {"alg": "HS256", "typ": "JWT", "type": "JWT", "ver": 1},
        {"alg": "HS256", "typ": "JWT", "ver": "1"},
        {"alg": "HS256", "typ": "JWT", "ver": 1, "kid": "x", "jku": "https://keys.example"},
    ],
    ids=["java", "php-ts-python", "both", "c-sharp", "further-members"],
)
def test_every_published_client_is_let_in(merchant: Merchant, header: dict[str, Any]) -> None:
    for subject in (merchant.user_id, str(merchant.user_id)):
        made = merchant.sign("GET", f"{BASE}/probes", header=header, sub=subject)
        answer = with_token(merchant, made)
        assert answer.status == 200, answer.body
        assert answer.json["user"] == merchant.user_id


@pytest.mark.parametrize(
    "header",
    [
        {**HEADER, "alg": "none"},
        {**HEADER, "alg": "None"},
        {**HEADER, "alg": "HS384"},
        {**HEADER, "alg": "HS512"},
        {**HEADER, "alg": "RS256"},
        {**HEADER, "alg": "hs256"},
        {**HEADER, "crit": ["exp"]},
        {**HEADER, "crit": []},
        {**HEADER, "typ": "at+jwt"},
        {**HEADER, "type": "jws"},
        {**HEADER, "ver": 2},
        {**HEADER, "ver": 1.0},
        {**HEADER, "ver": True},
        {**HEADER, "ver": "01"},
        {**HEADER, "ver": None},
        {**HEADER, "ver": [1]},
        {"alg": "HS256", "ver": 1},
        {"alg": "HS256", "typ": "JWT"},
        {"typ": "JWT", "ver": 1},
        [],
        "HS256",
        '{"alg":"none","alg":"HS256","typ":"JWT","ver":1}',
        '{"alg":"HS256","typ":"JWT","ver":1',
        '{"alg":"HS256","typ":"JWT","ver":1}{}',
        b"\xff\xfe",
    ],
)
def test_other_headers_are_refused(merchant: Merchant, header: Any) -> None:
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes", header=header)) == 401


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_other_signatures_are_refused(merchant: Merchant, algorithm: str) -> None:
    signed = merchant.sign("GET", f"{BASE}/probes").rpartition(".")[0]
    signature = hmac.new(base64.b64decode(merchant.key), signed.encode(), getattr(hashlib, algorithm)).digest()
    assert status(merchant, f"{signed}.{encode(signature)}") == 401
    assert status(merchant, f"{signed}.") == 401


def test_the_key_is_what_the_base64_stands_for(merchant: Merchant) -> None:
    """Signed with the text of the key, or with another key, a request is nobody's."""
    for key in (merchant.key.encode(), merchant.key.rstrip("=").encode(), bytes(32), b""):
        assert status(merchant, merchant.sign("GET", f"{BASE}/probes", key=key)) == 401


@pytest.mark.parametrize(
    "subject", ["0", 0, -1, "1.0", 1.5, True, None, "x", "", " 1", 2**63, str(2**63), [1], {"id": 1}]
)
def test_subjects_that_name_nobody(merchant: Merchant, subject: Any) -> None:
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes", sub=subject)) == 401


def test_a_subject_has_one_spelling(merchant: Merchant) -> None:
    for subject in (f"0{merchant.user_id}", f" {merchant.user_id}", f"+{merchant.user_id}", float(merchant.user_id)):
        assert status(merchant, merchant.sign("GET", f"{BASE}/probes", sub=subject)) == 401


def test_unknown_user_and_wrong_signature_look_alike(merchant: Merchant) -> None:
    unknown = with_token(merchant, merchant.sign("GET", f"{BASE}/probes", sub=merchant.user_id + 1))
    wrong = with_token(merchant, merchant.sign("GET", f"{BASE}/probes", key=bytes(32)))
    for answer in (unknown, wrong):
        assert answer.status == 401
    differing = ("id", "date")
    assert {name: value for name, value in unknown.json.items() if name not in differing} == {
        name: value for name, value in wrong.json.items() if name not in differing
    }
    assert set(unknown.headers) == set(wrong.headers)


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (-OLDEST_SECONDS, 200),
        (-OLDEST_SECONDS - 1, 401),
        (0, 200),
        (NEWEST_SECONDS, 200),
        (NEWEST_SECONDS + 1, 401),
    ],
)
def test_the_window_of_time(merchant: Merchant, held_clock: Any, offset: int, expected: int) -> None:
    issued = int(held_clock.at.timestamp()) + offset
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes", iat=issued)) == expected


@pytest.mark.parametrize(
    "spoil", [lambda now: now * 1000, str, float, lambda now: -now, lambda now: True, lambda now: 0]
)
def test_times_that_are_none(merchant: Merchant, held_clock: Any, spoil: Any) -> None:
    issued = spoil(int(held_clock.at.timestamp()))
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes", iat=issued)) == 401


def test_a_time_is_required_and_milliseconds_are_told(merchant: Merchant, held_clock: Any) -> None:
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes", iat=None)) == 401
    made = merchant.sign("GET", f"{BASE}/probes", iat=int(held_clock.at.timestamp() * 1000))
    assert "milliseconds" in with_token(merchant, made).json["message"]


def test_an_end_is_honoured_where_one_is_sent(merchant: Merchant, held_clock: Any) -> None:
    now = int(held_clock.at.timestamp())
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes", exp=now + 1)) == 200
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes", exp=now)) == 401
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes", exp="later")) == 401
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes", nbf=now + NEWEST_SECONDS + 1)) == 401


def test_a_token_serves_twice_within_the_window_and_not_after(merchant: Merchant, held_clock: Any) -> None:
    made = merchant.sign("GET", f"{BASE}/probes")
    assert status(merchant, made) == status(merchant, made) == 200
    held_clock.advance(seconds=OLDEST_SECONDS + 1)
    assert status(merchant, made) == 401


SENT = "/probes?query=a%26b&order=id%2BASC&expand=x"


@pytest.mark.parametrize(
    "signed",
    [
        "/probes",
        "/probes/7",
        "/probes?",
        "/probes?order=id%2BASC&query=a%26b&expand=x",
        "/probes?query=a%26b&order=id%2BASC",
        "/probes?query=a%26b&order=id%2BASC&expand=x&limit=1",
        "/probes?query=a&b&order=id%2BASC&expand=x",
        "/probes?query=a%26b&order=id+ASC&expand=x",
        "/probes?query=a%26b&order=id%2bASC&expand=x",
        "/probes?query=a%26b&order=id%2BASC&expand=%78",
        "/probes/?query=a%26b&order=id%2BASC&expand=x",
        "//probes?query=a%26b&order=id%2BASC&expand=x",
        "/./probes?query=a%26b&order=id%2BASC&expand=x",
        "/x/../probes?query=a%26b&order=id%2BASC&expand=x",
        "/%70robes?query=a%26b&order=id%2BASC&expand=x",
        "/probes?query=a%26b&order=id%2BASC&expand=x#top",
        "/PROBES?query=a%26b&order=id%2BASC&expand=x",
    ],
)
def test_a_token_holds_for_its_target_only(merchant: Merchant, signed: str) -> None:
    assert status(merchant, merchant.sign("GET", BASE + SENT), SENT) == 200
    assert status(merchant, merchant.sign("GET", BASE + signed), SENT) == 401
    assert status(merchant, merchant.sign("GET", SENT), SENT) == 401


@pytest.mark.parametrize("claimed", [None, 1, [], "", "*", "http://127.0.0.1:8080/api/v2.0/probes"])
def test_a_target_is_required_in_origin_form(merchant: Merchant, claimed: Any) -> None:
    assert status(merchant, merchant.sign("GET", "", requestPath=claimed)) == 401


def test_slashes_and_case_of_escapes_in_a_path(merchant: Merchant) -> None:
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes/a%2fb"), "/probes/a%2fb") == 200
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes/a%2Fb"), "/probes/a%2fb") == 401
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes/a%2fb"), "/probes/a%2Fb") == 401
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes/%37"), "/probes/7") == 401


@pytest.mark.parametrize(("signed", "arrives"), [("a%40b", "a@b"), ("a%20b", "a b"), ("%C3%BC%3A", "ü:")])
def test_a_gateway_may_hand_over_the_path_without_its_escapes(merchant: Merchant, signed: str, arrives: str) -> None:
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes/{signed}"), f"/probes/{arrives}") == 200
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes/{signed}?a=%40"), f"/probes/{arrives}?a=@") == 401


@pytest.mark.parametrize(
    ("signed", "arrives"), [("a%2Bb", "a+b"), ("a%26b", "a&b"), ("a%3Db", "a=b"), ("a%25b", "a%b")]
)
def test_escapes_that_may_change_the_meaning_stay(merchant: Merchant, signed: str, arrives: str) -> None:
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes/{signed}"), f"/probes/{arrives}") == 401


def test_the_alias_answers_and_is_signed_as_such(merchant: Merchant) -> None:
    assert merchant.call(door, "GET", "/probes", base="/api/v2").status == 200
    headers = {"authorization": f"Bearer {merchant.sign('GET', f'{BASE}/probes')}", "space": str(merchant.space_id)}
    assert send(door, "GET", "/api/v2/probes", headers=headers).status == 401
    assert merchant.call(door, "GET", "/probes", base="/api").status == 404
    assert merchant.call(door, "GET", "/probes", base="/api/v2.00").status == 404


def test_methods_are_bound(merchant: Merchant) -> None:
    assert status(merchant, merchant.sign("GET", f"{BASE}/probes/1"), "/probes/1", "DELETE") == 401
    assert status(merchant, merchant.sign("get", f"{BASE}/probes")) == 401
    made = merchant.sign("GET", f"{BASE}/probes")
    headers = {"authorization": f"Bearer {made}", "space": str(merchant.space_id), "x-http-method-override": "POST"}
    assert send(door, "GET", f"{BASE}/probes", headers=headers).json["user"] == merchant.user_id
    for method in ("HEAD", "OPTIONS", "PUT"):
        answer = merchant.call(door, method, "/probes")
        assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
        assert answer.json["code"] == "method_not_allowed"


def test_post_on_an_item_is_an_update(merchant: Merchant) -> None:
    assert merchant.call(door, "POST", "/probes/1", {}).status == 200
    assert merchant.call(door, "PUT", "/probes/1", {}).status == 405
    assert status(merchant, merchant.sign("PATCH", f"{BASE}/probes/1"), "/probes/1", "POST") == 401


def authorized(merchant: Merchant, value: str) -> int:
    headers = {"authorization": value, "space": str(merchant.space_id)}
    return send(door, "GET", f"{BASE}/probes", headers=headers).status


def test_ways_to_write_the_header(merchant: Merchant) -> None:
    made = merchant.sign("GET", f"{BASE}/probes")
    assert authorized(merchant, f"Bearer {made}") == 200
    assert authorized(merchant, f"bearer {made}") == 200
    assert authorized(merchant, f"  Bearer  {made} ") == 200
    for value in (
        "",
        made,
        f"Basic {made}",
        f"Bearer {made},Bearer {made}",
        f"Bearer {made}=",
        f"Bearer {made}.{made.rpartition('.')[2]}",
        f"Bearer {made.rpartition('.')[0]}",
        "Bearer " + "a" * 100_000,
        "Bearer " + ".".join(["a" * 33_000] * 3),
        "Bearer a.b.c",
        "Bearer ..",
    ):
        assert authorized(merchant, value) == 401
    assert send(door, "GET", f"{BASE}/probes").status == 401


@pytest.mark.parametrize("claims", ["[]", "1", "null", '{"sub":1,"sub":2}', "{", '{"iat":NaN}', b"\xff", "[" * 6000])
def test_claims_that_are_none(merchant: Merchant, claims: Any) -> None:
    assert status(merchant, token(HEADER, claims, base64.b64decode(merchant.key))) == 401


# ---------------------------------------------------------------------- errors and the order of checks


def test_errors_have_the_form_of_the_family(merchant: Merchant) -> None:
    answers = [
        send(door, "GET", f"{BASE}/nowhere"),
        send(door, "PUT", f"{BASE}/probes"),
        send(door, "GET", f"{BASE}/probes"),
        merchant.call(door, "GET", "/probes", space=None),
        merchant.call(door, "GET", "/probes", space=1),
    ]
    assert [answer.status for answer in answers] == [404, 405, 401, 400, 403]
    for answer in answers:
        assert set(answer.json) == {"date", "id", "code", "message", "errors"}
        assert answer.headers["content-type"] == "application/json"
    assert len({answer.json["id"] for answer in answers}) == len(answers)


@pytest.mark.parametrize("space", [None, "", "x", "-1", "0", "1.0", str(2**63), "1,2", "٣"])
def test_a_scope_must_be_given_and_be_a_number(merchant: Merchant, space: str | None) -> None:
    answer = merchant.call(door, "GET", "/probes", space=space)
    assert (answer.status, answer.json["code"]) == (400, "space_invalid")
    assert list(answer.json["errors"]) == ["Space"]


def test_a_foreign_space_and_none_look_alike(merchant: Merchant, make_tenant: Any) -> None:
    other = make_tenant()
    foreign, absent = (merchant.call(door, "GET", "/probes", space=each) for each in (other.space_id, 17))
    for answer in (foreign, absent):
        assert (answer.status, answer.json["code"]) == (403, "space_not_permitted")
    assert foreign.json["message"] == absent.json["message"]


def test_checks_come_in_their_order(merchant: Merchant) -> None:
    """Each request fails all checks from one on; the first decides."""
    bad = {"accept": "application/xml", "content-type": "text/xml"}
    assert send(door, "POST", f"{BASE}/probes", headers=bad, body="<a/>").status == 401
    assert merchant.call(door, "POST", "/probes", space=None, headers=bad, raw="<a/>").status == 406
    assert (
        merchant.call(door, "POST", "/probes", space=None, headers={"content-type": "text/xml"}, raw="x").status == 415
    )
    right = {"content-type": "application/json"}
    assert merchant.call(door, "POST", "/probes", space=None, headers=right, raw="{").status == 400
    assert merchant.call(door, "POST", "/probes", space=1, headers=right, raw="{").status == 403


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/json", 200),
        ("application/*", 200),
        ("*/*", 200),
        ("", 200),
        ("text/html, application/json;q=0.1", 200),
        ("application/json; charset=utf-8", 200),
        ("APPLICATION/JSON", 200),
        ("application/xml", 406),
        ("text/*", 406),
        ("application/json;q=0", 406),
        ("application/json;q=0.0, */*", 406),
        ("application/json, */*;q=0", 200),
        ("nonsense", 406),
    ],
)
def test_what_a_client_takes(merchant: Merchant, accept: str, expected: int) -> None:
    answer = merchant.call(door, "GET", "/probes", headers={"accept": accept})
    assert answer.status == expected
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/json", 200),
        ("application/json; charset=UTF-8", 200),
        ('application/json;charset="utf-8"', 200),
        ("APPLICATION/JSON", 200),
        ("application/json; charset=iso-8859-1", 415),
        ("application/x-www-form-urlencoded", 415),
        ("text/json", 415),
        ("application/merge-patch+json", 415),
        ("", 415),
    ],
)
def test_what_a_client_sends(merchant: Merchant, content_type: str, expected: int) -> None:
    assert merchant.call(door, "POST", "/probes", headers={"content-type": content_type}, raw="{}").status == expected


def test_bodies_where_none_is_read(merchant: Merchant) -> None:
    assert merchant.call(door, "GET", "/probes", raw="<a/>").status == 200
    assert merchant.call(door, "DELETE", "/probes/1", raw="<a/>").status == 200
    assert merchant.call(door, "POST", "/probes").status == 200


def test_nothing_of_a_token_is_logged_or_repeated(merchant: Merchant, capsys: pytest.CaptureFixture[str]) -> None:
    made = merchant.sign("GET", f"{BASE}/probes", key=bytes(32))
    body = with_token(merchant, made).body.decode()
    good = merchant.call(door, "GET", "/probes")
    logged = capsys.readouterr().out
    assert good.status == 200
    assert json.loads(logged.splitlines()[0])
    for secret in (made, made.rpartition(".")[2], merchant.key):
        assert secret not in body + logged
