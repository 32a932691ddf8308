"""The card rules against the published vectors, against hostile input, and against another implementation."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError
from pydantic_extra_types.payment import PaymentCardBrand, PaymentCardNumber

from tollgate import luhn
from tollgate.errors import Fault, Invalid
from vault import cards, pans

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
VISA_PAN = "4242424242424242"
AMEX_PAN = "378282246310005"

PANS_BY_SCHEME = {
    "VISA": "4242424242424242 4111111111111111 4000056655665556 4222222222222 4000000000000000006",
    "Mastercard": "5555555555554444 5105105105105100 2223003122003222 2221000000000009 2720999000000008",
    "American Express": "378282246310005 371449635398431",
    "Discover": "6011111111111117 6011000990139424 6500000000000002 6440000000000005 6490000000000004",
    "Diners Club": "30569309025904 38520000023237 36227206271667 36000000000008 30000000000004 30500000000003 "
    "3056930009020004",
    "JCB": "3566002020360505 3530111333300000 3528000000000007 3589000000000003",
    "UnionPay": "6200000000000005 6221260000000000 6229250000000003 6200000000000000000 8100000000000002",
    "Unknown": "2220990000000002 2721000000000004 6430000000000007 6000000000000007 30600000000001 "
    "3527000000000008 3590000000000000 5000000000000009 5600000000000003 6759649826438453 9792000000000003 "
    "2200000000000004",
}
GOOD_PANS = [(pan, scheme) for scheme, pans in PANS_BY_SCHEME.items() for pan in pans.split()]

NOT_DIGITS = "must be 12 to 19 digits and nothing else"
NOT_A_NUMBER = "is not a valid card number"
NOT_ITS_LENGTH = "has a length that its card scheme does not issue"


def with_check_digit(payload: str) -> str:
    return payload + luhn.check_digit(payload)


def sent(**members: object) -> dict[str, object]:
    return {"account_number": VISA_PAN, "expiry_month": 4, "expiry_year": 2033, **members}


def faults_of(now: datetime = NOW, **members: object) -> list[Fault]:
    with pytest.raises(Invalid) as caught:
        cards.read_card(sent(**members), now)
    return list(caught.value.faults)


# --- account number ---


@pytest.mark.parametrize(("pan", "scheme"), GOOD_PANS)
def test_scheme_of_published_number(pan: str, scheme: str) -> None:
    assert cards.pan_problem(pan) is None
    assert cards.detect_scheme(pan) == scheme


@pytest.mark.parametrize(
    ("pan", "masked"),
    [
        ("4242424242424242", "424242******4242"),
        ("4222222222222", "422222***2222"),
        ("4000000000000000006", "400000*********0006"),
        ("378282246310005", "378282*****0005"),
        ("30569309025904", "305693****5904"),
        (with_check_digit("50000000001"), "500000**0017"),
    ],
)
def test_mask_of_every_length(pan: str, masked: str) -> None:
    assert cards.mask(pan) == masked
    assert cards.issuer_identification_number(pan) == masked[:6]
    assert cards.last_four(pan) == masked[-4:]


@pytest.mark.parametrize("pan", ["", "4", "4242424242"])
def test_mask_of_less_than_a_card_number_is_refused(pan: str) -> None:
    with pytest.raises(ValueError, match="too short"):
        cards.mask(pan)


@pytest.mark.parametrize(
    ("pan", "problem"),
    [
        ("4242424242424241", NOT_A_NUMBER),
        ("6200500000000000004", NOT_A_NUMBER),
        ("0000000000000000", NOT_A_NUMBER),
        ("000000000000", NOT_A_NUMBER),
        ("4242 4242 4242 4242", NOT_DIGITS),
        ("4242-4242-4242-4242", NOT_DIGITS),
        (" 4242424242424242", NOT_DIGITS),
        ("4242424242424242\n", NOT_DIGITS),
        ("\uff14\uff12" * 8, NOT_DIGITS),
        ("\u0664\u0662" * 8, NOT_DIGITS),
        ("\u00b2" * 16, NOT_DIGITS),
        ("42424242424242\ud800", NOT_DIGITS),
        ("42424242\x0042424242", NOT_DIGITS),
        ("+424242424242424", NOT_DIGITS),
        ("4242_4242_4242_42", NOT_DIGITS),
        (with_check_digit("4" * 10), NOT_DIGITS),
        (with_check_digit("4" * 19), NOT_DIGITS),
        ("4" * 100_000, NOT_DIGITS),
        (with_check_digit("4" * 13), NOT_ITS_LENGTH),
        (with_check_digit("51" * 7), NOT_ITS_LENGTH),
        (with_check_digit("2221" + "0" * 14), NOT_ITS_LENGTH),
        (with_check_digit("34" + "0" * 13), NOT_ITS_LENGTH),
        (with_check_digit("6011" + "0" * 10), NOT_ITS_LENGTH),
        (with_check_digit("36" + "0" * 13), NOT_ITS_LENGTH),
        (with_check_digit("38" + "0" * 10), NOT_ITS_LENGTH),
        (with_check_digit("3528" + "0" * 10), NOT_ITS_LENGTH),
        (with_check_digit("62" + "0" * 12), NOT_ITS_LENGTH),
        ("", "must not be empty"),
        (None, "is required"),
        (4242424242424242, "must be a string"),
        (["4242424242424242"], "must be a string"),
        (True, "must be a string"),
    ],
)
def test_bad_number_is_refused_with_the_rule_and_not_the_value(pan: object, problem: str) -> None:
    assert faults_of(account_number=pan) == [Fault("$.account_number", problem)]


def test_every_length_of_every_scheme_row() -> None:
    for row in pans.PAN_SCHEMES:
        for low, high in row.prefixes:
            for prefix in (low, high):
                for length in range(luhn.SHORTEST, luhn.LONGEST + 1):
                    pan = with_check_digit(prefix.ljust(length - 1, "0"))
                    expected = None if length in row.lengths else NOT_ITS_LENGTH
                    assert cards.pan_problem(pan) == expected, (prefix, length)
                    assert cards.detect_scheme(pan) == row.name


def test_a_scheme_can_be_spared_the_check_digit_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    unchecked = "6200500000000000004"
    assert cards.pan_problem(unchecked) == NOT_A_NUMBER
    monkeypatch.setattr(pans, "WITHOUT_CHECK_DIGIT", frozenset({pans.UNIONPAY}))
    assert cards.pan_problem(unchecked) is None
    assert cards.pan_problem("4242424242424241") == NOT_A_NUMBER


def test_check_pan_returns_the_number_or_points_at_it() -> None:
    assert cards.check_pan(VISA_PAN) == VISA_PAN
    with pytest.raises(Invalid) as caught:
        cards.check_pan("4242424242424241", "row 7")
    assert caught.value.faults == (Fault("row 7", NOT_A_NUMBER),)


PAN_LIKE = st.integers(min_value=12, max_value=19).flatmap(
    lambda length: st.text("0123456789", min_size=length - 1, max_size=length - 1).map(with_check_digit)
)


@given(PAN_LIKE)
def test_mask_shows_no_more_than_first_six_and_last_four(pan: str) -> None:
    masked = cards.mask(pan)
    assert len(masked) == len(pan)
    assert masked[:6] + masked[-4:] == pan[:6] + pan[-4:]
    assert set(masked[6:-4]) == {"*"}


OUR_NAMES = {
    PaymentCardBrand.visa: pans.VISA,
    PaymentCardBrand.mastercard: pans.MASTERCARD,
    PaymentCardBrand.amex: pans.AMERICAN_EXPRESS,
    PaymentCardBrand.discover: pans.DISCOVER,
    PaymentCardBrand.diners_club: pans.DINERS_CLUB,
    PaymentCardBrand.jcb: pans.JCB,
    PaymentCardBrand.unionpay: pans.UNIONPAY,
}
REFUSED = "refused"


def ours(pan: str) -> str:
    return REFUSED if cards.pan_problem(pan) else cards.detect_scheme(pan)


def theirs(pan: str) -> str:
    """Another implementation's answer; brands that have no scheme value of ours are Unknown."""
    try:
        return OUR_NAMES.get(PaymentCardNumber.validate_brand(pan), pans.UNKNOWN)
    except PydanticCustomError:
        return REFUSED


def differs_on_purpose(prefix: int, length: int) -> bool:
    """Where our table is the documented one and the other implementation's is not."""
    diners_of_another_length = 3600 <= prefix <= 3699 and length > 14
    diners_beyond_305 = 3060 <= prefix <= 3099
    between_sixteen_and_nineteen = length in (17, 18) and (prefix // 100 in (35, 62, 81))
    # Brands that we count as Unknown may have any length with us, and only their own there.
    smaller_brand = 2200 <= prefix <= 2204 or prefix in (5019, 5061, 5079, 9792)
    return diners_of_another_length or diners_beyond_305 or between_sixteen_and_nineteen or smaller_brand


def test_scheme_agrees_with_another_implementation_for_every_prefix_and_length() -> None:
    disagreed = {
        (prefix, length)
        for prefix in range(1000, 10_000)
        for length in range(luhn.SHORTEST, luhn.LONGEST + 1)
        if ours(pan := with_check_digit(str(prefix).ljust(length - 1, "0"))) != theirs(pan)
    }
    assert {where for where in disagreed if not differs_on_purpose(*where)} == set()
    assert {(3600, 16), (3060, 14), (3528, 17), (6200, 18)} <= disagreed


# --- expiry ---


@pytest.mark.parametrize(
    ("month", "year"),
    [(11, 2026), (12, 2026), (1, 2027), (12, 2076)],
)
def test_good_expiry(month: int, year: int) -> None:
    card = cards.read_card(sent(expiry_month=month, expiry_year=year), NOW)
    assert (card.expiry_month, card.expiry_year) == (month, year)


@pytest.mark.parametrize(
    ("month", "year", "found"),
    [
        (10, 2026, [("expiry_month", "is in the past")]),
        (12, 2025, [("expiry_year", "is in the past")]),
        (1, 1999, [("expiry_year", "is in the past")]),
        (0, 2033, [("expiry_month", "must be from 1 to 12")]),
        (13, 2033, [("expiry_month", "must be from 1 to 12")]),
        (-4, 2033, [("expiry_month", "must be from 1 to 12")]),
        (10**40, 2033, [("expiry_month", "must be from 1 to 12")]),
        ("04", 2033, [("expiry_month", "must be a whole number")]),
        (4.0, 2033, [("expiry_month", "must be a whole number")]),
        (4.5, 2033, [("expiry_month", "must be a whole number")]),
        (True, 2033, [("expiry_month", "must be a whole number")]),
        (None, 2033, [("expiry_month", "is required")]),
        (4, 33, [("expiry_year", "must have four digits")]),
        (4, 999, [("expiry_year", "must have four digits")]),
        (4, 20333, [("expiry_year", "must have four digits")]),
        (4, -2033, [("expiry_year", "must have four digits")]),
        (4, 10**40, [("expiry_year", "must have four digits")]),
        (4, "2033", [("expiry_year", "must be a whole number")]),
        (4, 2033.0, [("expiry_year", "must be a whole number")]),
        (4, None, [("expiry_year", "is required")]),
        (1, 2077, [("expiry_year", "must not be more than 50 years ahead")]),
        (13, 33, [("expiry_month", "must be from 1 to 12"), ("expiry_year", "must have four digits")]),
    ],
)
def test_bad_expiry(month: object, year: object, found: list[tuple[str, str]]) -> None:
    expected = [Fault(f"$.{member}", message) for member, message in found]
    assert faults_of(expiry_month=month, expiry_year=year) == expected


@pytest.mark.parametrize(
    ("now", "good"),
    [
        (datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 12, 1, 0, 0, 0, tzinfo=UTC), True),
        (datetime(2026, 12, 1, 11, 59, 59, 999999, tzinfo=UTC), True),
        (datetime(2026, 12, 1, 12, 0, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 30, 23, 59, 59, 999999, tzinfo=cards._LAST_ZONE), True),
        (datetime(2026, 12, 1, 0, 0, 0, tzinfo=cards._LAST_ZONE), False),
    ],
)
def test_card_lasts_until_its_month_has_ended_everywhere(now: datetime, good: bool) -> None:
    assert cards.is_expired(2026, 11, now) is not good
    if good:
        cards.read_card(sent(expiry_month=11, expiry_year=2026), now)
    else:
        assert faults_of(now, expiry_month=11, expiry_year=2026) == [Fault("$.expiry_month", "is in the past")]


def test_december_rolls_over_with_the_year() -> None:
    new_year_utc = datetime(2027, 1, 1, 6, 0, tzinfo=UTC)
    assert not cards.is_expired(2026, 12, new_year_utc)
    cards.read_card(sent(expiry_month=12, expiry_year=2026), new_year_utc)
    assert cards.is_expired(2026, 12, new_year_utc + timedelta(hours=6))


# --- security code ---


@pytest.mark.parametrize("code", ["123", "012", "000"])
def test_good_security_code_keeps_its_zeros(code: str) -> None:
    assert cards.read_card(sent(security_code=code), NOW).security_code == code


@pytest.mark.parametrize("code", ["123", "1234", "0012"])
def test_american_express_takes_three_or_four(code: str) -> None:
    assert cards.read_card(sent(account_number=AMEX_PAN, security_code=code), NOW).security_code == code


@pytest.mark.parametrize(
    "code", ["12", "1234", "12345", "abc", "12a", " 12", "1 2", "\uff11\uff12\uff13", "1\ud800\ud800"]
)
def test_bad_security_code(code: str) -> None:
    assert faults_of(security_code=code) == [Fault("$.security_code", "must be 3 digits")]


@pytest.mark.parametrize(("code", "problem"), [("", "must not be empty"), (123, "must be a string")])
def test_security_code_is_a_string_with_something_in_it(code: object, problem: str) -> None:
    assert faults_of(security_code=code) == [Fault("$.security_code", problem)]


def test_four_digits_are_not_blamed_on_the_code_when_the_number_is_bad() -> None:
    assert [fault.path for fault in faults_of(account_number="1", security_code="1234")] == ["$.account_number"]


# --- cardholder name ---

GOOD_NAMES = [
    "A",
    "John Doe",
    "<script>",
    "J\u00fcrgen \U0001f600",
    "O'Neil-\u674e",
    "x" * 255,
    "\U0001f469\u200d\U0001f680",
]
GOOD_NAMES += ["Agent 007", "1234567", "4242 4242 424", "{{ account_number }}", '"},"admin":true', "a\\b"]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_good_name_is_kept_as_it_is(name: str) -> None:
    assert cards.read_card(sent(cardholder_name=name), NOW).cardholder_name == name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "must not be empty"),
        ("   ", "must not be blank"),
        ("\u00a0\u2003", "must not be blank"),
        ("\u200b\u200d", "must not be blank"),
        ("x" * 256, "must have at most 255 characters"),
        ("\U0001f600" * 256, "must have at most 255 characters"),
        ("John\nDoe", "must not contain control characters"),
        ("John\x00", "must not contain control characters"),
        ("John\x7f", "must not contain control characters"),
        ("John\x85", "must not contain control characters"),
        ("John\u2028Doe", "must not contain control characters"),
        ("John\ud800", "must not contain control characters"),
        ("\udfffJohn", "must not contain control characters"),
        (VISA_PAN, "must not contain a card number"),
        (f"John {VISA_PAN} Doe", "must not contain a card number"),
        (f"John{VISA_PAN}Doe", "must not contain a card number"),
        ("4242 4242 4242 4242", "must not contain a card number"),
        ("4242-4242-4242-4242", "must not contain a card number"),
        ("4242 - 4242 / 4242.4242", "must not contain a card number"),
        ("4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2", "must not contain a card number"),
        ("4242\u200b4242\u200b4242\u200b4242", "must not contain a card number"),
        ("\uff14\uff12" * 8, "must not contain a card number"),
        ("\u0664\u0662" * 8, "must not contain a card number"),
        (f"99999{VISA_PAN}", "must not contain a card number"),
        (7, "must be a string"),
        ({"first": "John"}, "must be a string"),
    ],
)
def test_bad_name(name: object, problem: str) -> None:
    assert faults_of(cardholder_name=name) == [Fault("$.cardholder_name", problem)]


@given(st.text(max_size=300))
def test_any_text_is_either_a_good_name_or_refused(name: str) -> None:
    if cards.name_problem(name) is None:
        name.encode("utf-8")
        assert name.strip()
        assert len(name) <= cards.LONGEST_NAME
        assert "\n" not in name


# --- the card as a whole ---


def test_every_fault_is_reported_at_once_and_without_values() -> None:
    bad = {
        "account_number": "4242424242424241",
        "expiry_month": 13,
        "expiry_year": 33,
        "cardholder_name": "5555555555554444",
        "security_code": "98765",
    }
    found = faults_of(**bad)
    assert [fault.path for fault in found] == [f"$.{member}" for member in bad]
    text = " ".join(fault.message for fault in found)
    assert not any(str(value) in text for value in bad.values() if value != 13)


def test_nothing_sent_names_what_is_required() -> None:
    with pytest.raises(Invalid) as caught:
        cards.read_card({}, NOW, "$.card")
    assert {(fault.path, fault.message) for fault in caught.value.faults} == {
        ("$.card.account_number", "is required"),
        ("$.card.expiry_month", "is required"),
        ("$.card.expiry_year", "is required"),
    }


def test_null_is_absent_and_unknown_members_are_ignored() -> None:
    card = cards.read_card(sent(cardholder_name=None, security_code=None, admin=True), NOW)
    assert card == cards.Card(VISA_PAN, 4, 2033)
    assert (card.scheme, card.issuer_identification_number) == ("VISA", "424242")
    assert card.masked_account_number == "424242******4242"


def test_a_card_that_was_read_can_be_checked_again() -> None:
    assert cards.faults(cards.Card(VISA_PAN, 4, 2033, "John Doe", "123"), NOW) == []
    found = cards.faults(cards.Card(VISA_PAN, 4, 2033, "John Doe", "1234"), NOW, "$.result")
    assert found == [Fault("$.result.security_code", "must be 3 digits")]


def test_text_form_of_a_card_shows_no_secret() -> None:
    shown = repr(cards.Card(VISA_PAN, 4, 2033, "John Doe", "987"))
    assert VISA_PAN not in shown
    assert "987" not in shown
    assert "John" not in shown


def test_anonymised_name_is_itself_a_good_name() -> None:
    assert cards.name_problem(cards.ANONYMIZED) is None


# --- Luhn ---


@given(st.text("0123456789", min_size=1, max_size=30))
def test_check_digit_is_the_only_one_of_ten_that_passes(payload: str) -> None:
    passing = [digit for digit in "0123456789" if luhn.passes(payload + digit)]
    assert passing == [luhn.check_digit(payload)]


@given(PAN_LIKE, st.data())
def test_luhn_sees_every_single_wrong_digit(pan: str, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(pan) - 1))
    wrong = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != pan[position]]))
    assert luhn.passes(pan)
    assert not luhn.passes(pan[:position] + wrong + pan[position + 1 :])


@pytest.mark.parametrize("text", ["", "0", "a", "4242 4242", "-18", "\u0661\u0668", "\u00b2\u00b2", "18\n"])
def test_luhn_takes_only_ascii_digits_and_more_than_one(text: str) -> None:
    assert not luhn.passes(text)


@pytest.mark.parametrize("text", ["1" * 200_000, "1 " * 100_000, "12345678901 x" * 20_000, "1234-" * 50_000])
def test_long_runs_of_digits_do_not_take_quadratic_time(text: str) -> None:
    started = time.process_time()
    for _ in luhn.spans(text):
        pass
    assert time.process_time() - started < 15
