"""Which headers go to a destination, and which of its own come back."""

from __future__ import annotations

import pytest

from vault.forward.errors import BadHeaders
from vault.forward.rules.headers import RELAYED_MARK, to_relay, to_send

OWN = {
    "x-api-key": "ours",
    "x-hellgate-token": "00000000-0000-4000-8000-000000000000",
    "x-destination-url": "https://allowed.example/",
    "x-hellgate-version": "2.0",
    "x-hellgate-account": "a",
}


def sent(**headers: str) -> dict[str, str]:
    made = to_send({**OWN, **{name.replace("_", "-"): value for name, value in headers.items()}})
    assert len({name.lower() for name, _ in made}) == len(made)
    return dict(made)


def test_reserved_headers_stay_here() -> None:
    assert sent() == {}


def test_others_go_on_authorization_and_idempotency_included() -> None:
    others = {
        "authorization": "Basic eDp5",
        "content-type": "application/json",
        "idempotency-key": "1",
        "x-idempotency-key": "2",
        "user-agent": "shop/1",
        "accept": "*/*",
    }
    assert dict(to_send({**OWN, **others})) == others


@pytest.mark.parametrize(
    "name",
    [
        "host", "content-length", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect",
        "proxy-authorization", "proxy-connection", "cookie", "accept-encoding", "x-forwarded-for", "x-forwarded-proto",
        "x-amzn-trace-id", "forwarded",
    ],
)  # fmt: skip
def test_headers_of_the_connection_and_of_the_gateway_do_not(name: str) -> None:
    assert to_send({**OWN, name: "x"}) == []


def test_a_header_that_the_connection_nominates_does_not() -> None:
    assert sent(connection="close, X-Hop", x_hop="1", x_end="2") == {"x-end": "2"}


def test_a_pair_becomes_one_header() -> None:
    assert sent(x_own_header_key="x-api-key", x_own_header_value="theirs") == {"x-api-key": "theirs"}
    assert sent(x_wp_authorization_name="Authorization", x_wp_authorization_value="Basic x") == {
        "Authorization": "Basic x"
    }


def test_a_term_may_have_dashes_and_be_one_letter() -> None:
    assert sent(x_a_b_c_key="One", x_a_b_c_value="1", x_d_name="Two", x_d_value="2") == {"One": "1", "Two": "2"}


def test_a_pair_wins_over_the_plain_header_of_its_name() -> None:
    assert sent(user_agent="library/1", x_ua_key="User-Agent", x_ua_value="shop/1") == {"User-Agent": "shop/1"}


def test_a_lone_key_or_name_is_an_ordinary_header() -> None:
    assert sent(x_client_key="1", x_merchant_name="2") == {"x-client-key": "1", "x-merchant-name": "2"}


@pytest.mark.parametrize(
    "headers",
    [
        {"x-own-value": "1"},
        {"x-api-value": "1"},
        {"x-idempotency-key": "1", "x-idempotency-value": "2"},
        {"x-own-key": "A", "x-own-name": "B", "x-own-value": "1"},
        {"x-one-key": "Same", "x-one-value": "1", "x-two-key": "same", "x-two-value": "2"},
        {"x-own-key": "", "x-own-value": "1"},
        {"x-own-key": "two words", "x-own-value": "1"},
        {"x-own-key": "a:b", "x-own-value": "1"},
        {"x-own-key": "naïve", "x-own-value": "1"},
        {"x-own-key": "A,B", "x-own-value": "1"},
        {"x-own-key": "A", "x-own-value": "1\r\nX-Evil: 1"},
        {"x-own-key": "A\r\nX-Evil: 1", "x-own-value": "1"},
        {"x-own-key": "A", "x-own-value": "1\x00"},
        {"x-own-key": "A", "x-own-value": "\u4e2d"},
        {"accept": "1\nX-Evil: 1"},
        *({"x-own-key": name, "x-own-value": "1"} for name in (
            "Host", "Content-Length", "Transfer-Encoding", "Connection", "TE", "Trailer", "Upgrade", "Expect",
            "Keep-Alive", "Proxy-Authorization", "Proxy-Anything", "Accept-Encoding",
        )),
    ],
)  # fmt: skip
def test_what_would_break_the_request_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(BadHeaders):
        to_send({**OWN, **headers})


def test_our_key_never_becomes_the_name_of_a_header() -> None:
    with pytest.raises(BadHeaders) as refusal:
        to_send({**OWN, "x-api-value": "1"})
    assert [fault.path for fault in refusal.value.faults] == ["header.x-api-value"]


def test_an_answer_keeps_what_is_meant_for_its_reader() -> None:
    relayed = to_relay(
        201,
        [
            ("Content-Type", "application/json"), ("X-Request-Id", "7"), ("Vary", "a"), ("vary", "b"),
            ("Set-Cookie", "a=1; Path=/, x"), ("set-cookie", "b=2"), ("WWW-Authenticate", "Basic"),
            ("Connection", "close"), ("Keep-Alive", "1"), ("Proxy-Authenticate", "Basic"), ("Upgrade", "x"),
            ("Strict-Transport-Security", "max-age=0"), ("X-Hellgate-Version", "9"), ("X-Tollgate-Relayed", "false"),
        ],
        b"{}",
    )  # fmt: skip
    assert relayed is not None
    assert relayed.headers == {"x-request-id": "7", "vary": "a, b", "www-authenticate": "Basic", RELAYED_MARK: "true"}
    assert relayed.cookies == ("a=1; Path=/, x", "b=2")
    assert (relayed.status, relayed.content_type, relayed.body) == (201, "application/json", b"{}")


def test_more_headers_than_can_be_handed_on_are_no_answer() -> None:
    assert to_relay(200, [(f"x-{n}", "y" * 100) for n in range(70)], b"") is not None
    assert to_relay(200, [(f"x-{n}", "y" * 100) for n in range(80)], b"") is None
    assert to_relay(200, [("set-cookie", "y" * 100)] * 90, b"") is None
