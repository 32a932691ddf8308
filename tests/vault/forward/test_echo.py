"""A destination that repeats the card is masked; what only looks alike is left alone."""

from __future__ import annotations

import json

import pytest

from vault.forward.rules.echo import Echo

PAN, CODE = "4242424242424242", "987"
SENT = {"account_number": PAN, "security_code": CODE, "cardholder_name": "John Doe"}
SHOWN = "424242******4242"


def mask(text: str) -> str:
    return Echo(SENT).mask(text.encode()).decode()


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f'{{"n":"{PAN}"}}', f'{{"n":"{SHOWN}"}}'),
        (f'{{"n":{PAN}}}', f'{{"n":"{SHOWN}"}}'),
        (f"[1, {PAN} , 2]", f'[1, "{SHOWN}" , 2]'),
        (f"declined: {PAN}", f"declined: {SHOWN}"),
        (f"x{PAN}y{PAN}", f"x{SHOWN}y{SHOWN}"),
        ("4242 4242 4242 4242", SHOWN),
        ("4242-4242-4242-4242", SHOWN),
        (f"n={PAN}&c={CODE}", f"n={SHOWN}&c=***"),
        (f'{{"c":"{CODE}"}}', '{"c":"***"}'),
        (f'"{{\\"c\\":\\"{CODE}\\"}}"', '"{\\"c\\":\\"***\\"}"'),
        (f"<c>{CODE}</c>", "<c>***</c>"),
        (f"code {CODE} is wrong", "code *** is wrong"),
    ],
)
def test_what_was_sent_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        '{"amount":987}', '{"amount": 987 }', "[987,987]", '{"amount":"9.87","x":"0.987","y":"987.00"}',
        '{"at":"2033-01-01T00:00:00.987Z","on":"987-01","u":"x987","v":"9870","w":"1987"}',
        '{"phone":"+987","time":"12:987"}', "4242424242424241", "",
    ],
)  # fmt: skip
def test_what_only_looks_alike_is_left_alone(text: str) -> None:
    assert mask(text) == text


def test_what_was_not_sent_is_not_looked_for() -> None:
    assert Echo({}).mask(PAN.encode()) == PAN.encode()
    assert Echo({"account_number": PAN}).mask(CODE.encode()) == CODE.encode()


def test_a_masked_answer_still_parses() -> None:
    text = json.dumps({"card": {"number": int(PAN), "cvc": CODE, "list": [int(PAN), PAN]}}, indent=1)
    assert json.loads(mask(text)) == {"card": {"number": SHOWN, "cvc": "***", "list": [SHOWN, SHOWN]}}


def test_headers_are_masked_too() -> None:
    assert Echo(SENT).mask_header(f"https://x/?n={PAN}") == f"https://x/?n={SHOWN}"
