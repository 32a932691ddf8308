"""Filling a card into a body, in one pass from left to right. Pure.

Grammar: `{{ name }}` or `{{ name | unwrap }}`, names from `PLACEHOLDERS` alone, any blanks between the parts. A body is
cut at its placeholders once; what is filled in is never looked at again, so a cardholder name that reads like a
placeholder stays a name. How a value is written follows the content type, so that it cannot break out of its place:

- JSON: inside a string escaped; outside only a number by `unwrap`; a string that is nothing but an unwrapped number
  becomes the bare number. The result must parse.
- Forms: percent-encoded. The placeholder may be percent-encoded too, as form libraries do it.
- XML: as character references where a character has a meaning there or is not ASCII.
- Anything else that is UTF-8: as it is; a card holds no control characters.

A body that is not UTF-8, or that is compressed, is no template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NoReturn
from urllib.parse import quote

from tollgate.http.message import MAX_BODY_BYTES
from vault.forward.errors import BadTemplate
from vault.forward.models import NUMERIC, PLACEHOLDERS

Kind = Literal["json", "form", "xml", "text"]

_BLANK: Final = r"[ \t\r\n]*"
_PLACEHOLDER: Final = re.compile(
    rf"{_BLANK}(?P<name>[a-z_]{{1,32}}){_BLANK}(?P<filters>(?:\|{_BLANK}[a-z_]{{1,32}}{_BLANK})*)\}}\}}", re.IGNORECASE
)
_FORM_BLANK: Final = r"(?:[ \t\r\n+]|%20|%09|%0[AaDd])*"
_FORM_PLACEHOLDER: Final = re.compile(
    rf"{_FORM_BLANK}(?P<name>[a-z_]{{1,32}}){_FORM_BLANK}"
    rf"(?P<filters>(?:(?:\||%7[Cc]){_FORM_BLANK}[a-z_]{{1,32}}{_FORM_BLANK})*)(?:\}}\}}|%7[Dd]%7[Dd])",
    re.IGNORECASE,
)
_FORM_OPENING: Final = re.compile(r"\{\{|%7[Bb]%7[Bb]")
_FILTER: Final = re.compile(r"[a-z_]{2,32}", re.IGNORECASE)
_ESCAPE: Final = re.compile("%[0-9A-Fa-f]{2}")
_ESCAPED: Final = re.compile(r"\\.", re.DOTALL)
_XML_SPECIAL: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})

Write = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Slot:
    """A place to fill: the member of the card, and how its text is written there."""

    member: str
    write: Write


@dataclass(frozen=True, slots=True)
class Template:
    """A body cut at its placeholders: `literals` has one entry more than `slots`."""

    kind: Kind
    literals: tuple[str, ...]
    slots: tuple[Slot, ...]
    opaque: bytes | None = None
    """The whole body, where it is no template."""

    @property
    def members(self) -> frozenset[str]:
        """The members of the card that are needed to fill it in."""
        return frozenset(slot.member for slot in self.slots)

    def fill(self, card: Mapping[str, str]) -> bytes:
        """The body to send.

        Raises:
            BadTemplate: it has grown over the limit, or is JSON no more.
        """
        if self.opaque is not None:
            return self.opaque
        pieces = [self.literals[0]]
        for slot, literal in zip(self.slots, self.literals[1:], strict=True):
            pieces += (slot.write(card[slot.member]), literal)
        text = "".join(pieces)
        body = text.encode()
        if len(body) > MAX_BODY_BYTES:
            raise BadTemplate.at("$", f"has more than {MAX_BODY_BYTES} bytes once it is filled in")
        if self.kind == "json" and text:
            _require_json(text)
        return body


def read(body: bytes, content_type: str | None, *, is_encoded: bool = False) -> Template:
    """Cut a body at its placeholders. `is_encoded` says that it has a content coding, gzip for one.

    Raises:
        BadTemplate: a placeholder is unknown, unfinished, or stands where it cannot be filled in.
    """
    if is_encoded:
        return Template("text", ("",), (), body)
    kind = kind_of(content_type)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return _opaque(body, kind)
    if kind == "form":
        return _cut(kind, _FORM_OPENING.split(text), _FORM_PLACEHOLDER)
    return _cut(kind, text.split("{{"), _PLACEHOLDER)


def kind_of(content_type: str | None) -> Kind:
    """How to write into a body of this media type. Without one it is JSON, as the reference shows it."""
    if content_type is None:
        return "json"
    media_type = content_type.partition(";")[0].strip().lower()
    subtype = media_type.rpartition("/")[2]
    if media_type == "application/x-www-form-urlencoded":
        return "form"
    if subtype == "json" or subtype.endswith("+json"):
        return "json"
    return "xml" if subtype == "xml" or subtype.endswith("+xml") else "text"


def _opaque(body: bytes, kind: Kind) -> Template:
    """Bytes that are no text go on as they are; what looks like a placeholder in them was meant as one."""
    if kind == "json" or any(_looks_meant(piece) for piece in body.decode("latin-1").split("{{")[1:]):
        raise BadTemplate.at("$", "is not valid UTF-8")
    return Template(kind, ("",), (), body)


def _looks_meant(piece: str) -> bool:
    match = _PLACEHOLDER.match(piece)
    return match is not None and match["name"] in PLACEHOLDERS


def _cut(kind: Kind, pieces: list[str], placeholder: re.Pattern[str]) -> Template:
    literals, slots = [pieces[0]], []
    in_string = False
    for number, piece in enumerate(pieces[1:], 1):
        match = placeholder.match(piece)
        if match is None:
            raise BadTemplate.at("$", f"placeholder {number} is not finished or not formed as one")
        member, unwrap = _meaning(match, number)
        rest = piece[match.end() :]
        if kind != "json":
            slots.append(Slot(member, _write_in(kind, unwrap)))
        else:
            in_string, opens = _string_state(literals[-1], in_string, number)
            if opens and unwrap and rest.startswith('"'):
                literals[-1], rest, in_string = literals[-1][:-1], rest[1:], False
            elif not in_string and not unwrap:
                raise BadTemplate.at("$", f"placeholder {number} must stand in a string, or be a number by unwrap")
            slots.append(Slot(member, _number if unwrap else _in_json))
        literals.append(rest)
    return Template(kind, tuple(literals), tuple(slots))


def _meaning(match: re.Match[str], number: int) -> tuple[str, bool]:
    """The member that a placeholder stands for, and whether it is a bare number."""
    member = PLACEHOLDERS.get(match["name"])
    if member is None:
        raise BadTemplate.at("$", f"placeholder {number} has a name that is not known")
    filters = _FILTER.findall(_ESCAPE.sub(" ", match["filters"])) if match["filters"] else []
    if any(each != "unwrap" for each in filters):
        raise BadTemplate.at("$", f"placeholder {number} has a filter that is not known")
    if filters and member not in NUMERIC:
        raise BadTemplate.at("$", f"placeholder {number} is not a number and cannot be unwrapped")
    return member, bool(filters)


def _string_state(literal: str, in_string: bool, number: int) -> tuple[bool, bool]:
    """Whether a JSON string is open behind `literal`, and whether its opening quote is the last character."""
    bare = _ESCAPED.sub("", literal) if "\\" in literal else literal
    if bare.endswith("\\"):
        raise BadTemplate.at("$", f"placeholder {number} stands behind a backslash")
    is_open = in_string != (bare.count('"') % 2 == 1)
    return is_open, is_open and literal.endswith('"') and bare.endswith('"')


def _write_in(kind: Kind, unwrap: bool) -> Write:
    if unwrap:
        return _number
    if kind == "form":
        return _in_form
    return _in_xml if kind == "xml" else _as_it_is


def _number(value: str) -> str:
    return str(int(value))


def _in_json(value: str) -> str:
    return json.dumps(value)[1:-1]


def _in_form(value: str) -> str:
    return quote(value, safe="")


def _in_xml(value: str) -> str:
    return value.translate(_XML_SPECIAL).encode("ascii", "xmlcharrefreplace").decode()


def _as_it_is(value: str) -> str:
    return value


def _require_json(text: str) -> None:
    """Any JSON text, however large its numbers; where it goes is not ours to judge."""
    try:
        _DECODER.decode(text)
    except (ValueError, RecursionError):
        pass
    else:
        return
    raise BadTemplate.at("$", "is not valid JSON once it is filled in")  # not chained: the cause holds the text


def _no_constant(_: str) -> NoReturn:
    raise ValueError


_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_no_constant)
