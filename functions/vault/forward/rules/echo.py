"""Masking what a destination repeats of the card that was sent to it. Pure; defence in depth.

Only what was filled into this very request is looked for, and only in its exact digits. A PAN is long enough to be
masked wherever it stands, also in groups. Three or four digits mean many things, so a security code is masked only
where it stands alone as text: not as a bare JSON number, nor within a longer word, number, time or identifier.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from vault import cards

_BARE_BEFORE = b":[,"
_BARE_AFTER = b",]}"
_BLANKS = b" \t\r\n"


class Echo:
    """The secrets of one request, by member, for masking its answer."""

    def __init__(self, sent: Mapping[str, str]) -> None:
        self._rules: list[tuple[re.Pattern[bytes], Callable[[re.Match[bytes]], bytes]]] = []
        pan, code = sent.get("account_number"), sent.get("security_code")
        if pan is not None:
            shown = cards.mask(pan).encode()
            self._rules.append((_digits_of(pan), lambda match: _quoted_if_bare(match, shown)))
        if code is not None:
            stars = b"*" * len(code)
            self._rules.append((_alone(code), lambda match: match[0] if _is_bare(match) else stars))

    def mask(self, text: bytes) -> bytes:
        for pattern, replace in self._rules:
            text = pattern.sub(replace, text)
        return text

    def mask_header(self, value: str) -> str:
        return self.mask(value.encode("latin-1", "replace")).decode("latin-1")


def _digits_of(pan: str) -> re.Pattern[bytes]:
    return re.compile(b"[ -]?".join(digit.encode() for digit in pan))


def _alone(code: str) -> re.Pattern[bytes]:
    return re.compile(rb"(?<![\w.:+-])" + code.encode() + rb"(?![\w.:+-])")


def _quoted_if_bare(match: re.Match[bytes], shown: bytes) -> bytes:
    """A masked number is no number any more: where one stood in JSON it becomes a string, so that it still parses."""
    return b'"' + shown + b'"' if _is_bare(match) else shown


def _is_bare(match: re.Match[bytes]) -> bool:
    """Whether the match stands as a value of its own in JSON, without quotes."""
    text, start, end = match.string, match.start(), match.end()
    while start and text[start - 1] in _BLANKS:
        start -= 1
    while end < len(text) and text[end] in _BLANKS:
        end += 1
    return text[start - 1 : start] in _marks(_BARE_BEFORE) and text[end : end + 1] in _marks(_BARE_AFTER)


def _marks(text: bytes) -> frozenset[bytes]:
    return frozenset(bytes([each]) for each in text)
