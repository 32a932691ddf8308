"""What may reach a log: the canary card number is masked wherever it stands, and the rest is left readable."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from decimal import Decimal

import pytest
from aws_lambda_powertools import Logger
from hypothesis import given
from hypothesis import strategies as st

from tollgate import luhn, redact

CANARY = "4242424242424242"
AMEX = "378282246310005"
LONGEST = "4000000000000000006"
SHORTEST = "500000000017"
MOMENT = "2026-11-20T12:00:00Z"
UUID = "5d6b2c9a-9b0b-4b0c-8c7d-446655440000"

# Every way in which a line could carry the number.
CARRIERS = [
    "{}",
    "card {} refused",
    "card={}",
    "card:{},code",
    '{{"account_number":"{}"}}',
    "<pan>{}</pan>",
    "pan{}",
    "{}pan",
    "x{}x",
    "_{}_",
    "é{}é",
    "({})",
    "-{}-",
    " {} ",
    "\n{}\n",
    "\t{}",
    "{}.",
    "{}, {}",
    "{} {}",
    "{}-{}",
    "200 {}",
    "{} 200",
    "2026-11-20 {}",
    "2026-11-20 12:00:00 {} 4",
    "status 200 4 33 {}",
    "https://example.com/{}?a=1",
    "https://example.com/?pan={}&x=1",
    "%20{}%20",
    "key='{}'",
    f"{UUID} {{}}",
    f"{{}} {UUID}",
    f"{UUID}{{}}",
    "deadbeef{}",
    "1.{}",
    "{}.50",
    "%2F{}%2f",
    "100%{}",
    "a" * 5_000 + "{}" + "b" * 5_000,
]


@pytest.mark.parametrize("pan", [CANARY, AMEX, LONGEST, SHORTEST])
@pytest.mark.parametrize("carrier", CARRIERS, ids=range(len(CARRIERS)))
def test_card_number_is_masked_wherever_it_stands(carrier: str, pan: str) -> None:
    scrubbed = redact.scrub(carrier.replace("{}", pan))
    assert pan not in scrubbed
    assert redact.MASKED in scrubbed


@pytest.mark.parametrize(
    "pan",
    [
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
        "3782 822463 10005",
        "42424242 4242-4242",
        "4242%204242%204242%204242",
        "4242%2D4242%2d4242%2D4242",
    ],
)
@pytest.mark.parametrize("carrier", ["{}", "card {} refused", "200 {}", "{} 200", "x{}x", "{} {}"])
def test_separated_card_number_is_masked(carrier: str, pan: str) -> None:
    scrubbed = redact.scrub(carrier.replace("{}", pan))
    assert pan not in scrubbed
    assert "4242" not in scrubbed
    assert "822463" not in scrubbed


@pytest.mark.parametrize("text", [f"2026{CANARY}", f"{CANARY}1234", CANARY * 3, "1" * 20])
def test_more_digits_than_a_card_number_has_are_masked_whole(text: str) -> None:
    assert redact.scrub(f"seen {text} here") == f"seen {redact.MASKED} here"


@pytest.mark.parametrize("digits", ["\uff14\uff12" * 8, "\u0664\u0662" * 8])
def test_card_number_in_other_digits_is_masked(digits: str) -> None:
    assert redact.scrub(f"card {digits}") == f"card {redact.MASKED}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "request answered in 12 ms",
        "2026-11-20T12:00:00.123456Z",
        UUID,
        UUID.upper(),
        "44665544-0000-4000-8000-446655440000",
        "4242424242424241",
        "42424242424",
        "10.0.0.1 10.0.0.2",
        "424242******4242",
        "4111 1111 1111 1112",
        "1 22 333 4444",
        "4242  4242  4242  4242",
        "1767225600000",
    ],
)
def test_what_is_no_card_number_stays_as_it_is(text: str) -> None:
    assert redact.scrub(text) == text


PANS = st.integers(12, 19).flatmap(
    lambda length: st.text("0123456789", min_size=length - 1, max_size=length - 1).map(
        lambda payload: payload + luhn.check_digit(payload)
    )
)
SURROUNDINGS = st.text(st.characters(exclude_categories=["Nd", "Cs"], exclude_characters=" -"), max_size=40)


@given(SURROUNDINGS, PANS, SURROUNDINGS)
def test_any_card_number_among_any_text_is_masked(before: str, pan: str, after: str) -> None:
    assert redact.scrub(before + pan + after) == before + redact.MASKED + after


@given(st.text(st.sampled_from("0123456789 -x"), max_size=80))
def test_scrubbing_again_changes_nothing(text: str) -> None:
    scrubbed = redact.scrub(text)
    assert redact.scrub(scrubbed) == scrubbed


# --- fields ---


def test_only_listed_names_pass() -> None:
    fields = {"account_id": UUID, "status": 200, "body": "x", "account_number": CANARY, "security_code": "123"}
    assert redact.allowed(fields) == {"account_id": UUID, "status": 200}


def test_the_list_holds_no_name_of_card_data_or_secrets() -> None:
    words = {"pan", "code", "cvc", "cvv", "name", "secret", "password", "token", "key", "body", "header", "iban"}
    known = {"error_code", "currency_code", "token_id", "network_token_id", "key_id"}
    assert not [field for field in redact.LOGGABLE - known if words.intersection(field.split("_"))]
    assert not {"account_number", "security_code", "cardholder_name", "authorization", "url"} & redact.LOGGABLE


@pytest.mark.parametrize(
    ("value", "logged"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (-7, -7),
        (1.5, 1.5),
        ("eu-central-1", "eu-central-1"),
        (int(CANARY), redact.MASKED),
        (-int(CANARY), redact.MASKED),
        (10**4000, redact.MASKED),
        (1767225600000, 1767225600000),
        (f"card {CANARY}", f"card {redact.MASKED}"),
        (CANARY.encode(), "<bytes>"),
        ([CANARY], "<list>"),
        ({"pan": CANARY}, "<dict>"),
        (Decimal(CANARY), "<Decimal>"),
        (ValueError(CANARY), "<ValueError>"),
    ],
)
def test_values_are_plain_and_scrubbed(value: object, logged: object) -> None:
    assert redact.allowed({"reason": value}) == {"reason": logged}


@pytest.mark.parametrize("offset", range(490, 520))
def test_cutting_leaves_no_half_of_a_card_number(offset: int) -> None:
    logged = redact.allowed({"reason": "x" * offset + CANARY + "y" * 100})["reason"]
    assert len(logged) <= redact.LONGEST_TEXT
    assert not any(character.isdigit() for character in logged)


# --- the filter ---


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(_Everything())
    handler.addFilter(redact.RedactingFilter())
    logger = logging.getLogger("tests.redact")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, written
    logger.removeHandler(handler)


class _Everything(logging.Formatter):
    """Writes all that a record holds, as an over-eager formatter would."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record) + json.dumps(vars(record), default=str)


def test_filter_scrubs_message_and_arguments(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    logger.info("card %s for %d", CANARY, 42)
    assert CANARY not in written.getvalue()
    assert f"card {redact.MASKED} for 42" in written.getvalue()


def test_filter_sees_a_number_that_only_formatting_puts_together(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    logger.info("%s%s", CANARY[:8], CANARY[8:])
    logger.info("%(a)s %(b)s", {"a": CANARY, "b": int(CANARY)})
    assert CANARY not in written.getvalue()


def test_filter_drops_extras_that_may_not_be_logged(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    logger.info("done", extra={"account_id": UUID, "reason": CANARY, "body": "secret", "cvc": "a code"})
    assert UUID in written.getvalue()
    for hidden in (CANARY, "secret", "a code"):
        assert hidden not in written.getvalue()


def test_filter_keeps_the_type_of_an_error_and_not_its_text(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    try:
        raise ValueError(f"bad input {CANARY} of secret person")
    except ValueError:
        logger.exception("failed", stack_info=True)
    assert "ValueError" in written.getvalue()
    assert CANARY not in written.getvalue()
    assert "secret person" not in written.getvalue()
    assert "Traceback" not in written.getvalue()


def test_filter_survives_a_malformed_call(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    logger.info("%d", CANARY)
    logger.info("%s %s", *[CANARY])
    logger.info({"pan": CANARY})
    assert CANARY not in written.getvalue()
    assert written.getvalue().count('"msg": "unformattable log message"') == 2


def test_install_guards_the_root_handlers_once() -> None:
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    try:
        redact.install()
        redact.install()
        assert [type(each) for each in handler.filters] == [redact.RedactingFilter]
    finally:
        root.removeHandler(handler)
        for other in root.handlers:
            other.filters = [each for each in other.filters if not isinstance(each, redact.RedactingFilter)]


def test_filter_guards_the_powertools_logger() -> None:
    written = io.StringIO()
    logger = Logger(service="tests", stream=written)
    logger.addFilter(redact.RedactingFilter())
    logger.info("card %s", CANARY, extra={"token_id": UUID, "body": "secret"})
    try:
        raise ValueError(CANARY)
    except ValueError:
        logger.exception("failed")
    first, second = (json.loads(line) for line in written.getvalue().splitlines())
    assert (first["message"], first["token_id"]) == (f"card {redact.MASKED}", UUID)
    assert (second["message"], second["error_kind"]) == ("failed", "ValueError")
    assert CANARY not in written.getvalue()
    assert "secret" not in written.getvalue()


# --- cost ---
