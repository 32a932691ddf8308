"""From the body of a passing request to a decision request, by a mapping. Pure.

Bodies are JSON or forms. What is not there is left out; whether that makes a decision request is for its own model to
say. Texts, numbers and lists are never guessed at: a conversion is named, or the value is taken as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl

from risk.fields import NoField
from risk.interceptors.errors import MappingFailed
from risk.interceptors.models import FieldMapping
from risk.interceptors.rules.fields import Steps, source_steps, target_steps
from tollgate import money
from tollgate.errors import Failure, Fault, Invalid
from tollgate.models.json_body import parse_json

MOST_DEPTH: Final = 32
MOST_FORM_FIELDS: Final = 500
MOST_ITEMS: Final = 100
_FORM: Final = "application/x-www-form-urlencoded"
_KINDS: Final = ("pan", "masked_pan", "sepa")


def check(mappings: Sequence[FieldMapping], path: str = "$.field_mapping") -> None:
    """Refuse what can never work.

    Raises:
        Invalid: a target that is no field of a decision request or is given twice, a source that may not be read.
    """
    faults: list[Fault] = []
    seen: set[Steps] = set()
    for index, mapping in enumerate(mappings):
        try:
            steps = target_steps(mapping.target)
            if steps in seen:
                faults.append(Fault(f"{path}[{index}].target", "must be given once"))
            seen.add(steps)
        except NoField as wrong:
            faults.append(Fault(f"{path}[{index}].target", str(wrong)))
        try:
            if mapping.source is not None:
                source_steps(mapping.source)
        except NoField as wrong:
            faults.append(Fault(f"{path}[{index}].source", str(wrong)))
    if faults:
        raise Invalid(faults)


def document_of(body: bytes, content_type: str | None) -> Any:
    """The body as a JSON value; a form becomes an object of texts.

    Raises:
        MappingFailed: it is neither, or not readable in one way only.
    """
    kind = (content_type or "application/json").partition(";")[0].strip().lower()
    if kind == _FORM:
        return _form(body)
    if kind != "application/json" and not kind.endswith("+json"):
        raise MappingFailed("content type")
    try:
        return parse_json(body, MOST_DEPTH)
    except Failure:
        raise MappingFailed("not json") from None


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=MOST_FORM_FIELDS
        )
    except ValueError:
        raise MappingFailed("not a form") from None
    made = dict(pairs)
    if len(made) != len(pairs):
        raise MappingFailed("a name twice")
    return made


def decision_request(document: Any, mappings: Sequence[Mapping[str, Any]], context: str) -> dict[str, Any]:
    """What the mapping makes of the document; not yet checked.

    Raises:
        MappingFailed: a value cannot be converted.
    """
    made: dict[str, Any] = {"context": context}
    amounts: list[tuple[Steps, Any]] = []
    for mapping in mappings:
        value = mapping.get("value")
        if mapping.get("source") is not None:
            value = value_at(document, source_steps(mapping["source"]))
        if value is None:
            continue
        steps = target_steps(mapping["target"])
        if mapping.get("convert") == "minor_units":
            amounts.append((steps, value))
        else:
            _set(made, steps, _converted(value, mapping.get("convert")))
    for steps, value in amounts:
        _set(made, steps, _minor_units(value, made.get("transaction", {}).get("currency")))
    _name_credential(made)
    return made


def value_at(document: Any, steps: Steps) -> Any:
    """What stands there; None where nothing does."""
    value = document
    for step in steps:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _converted(value: Any, convert: str | None) -> Any:
    if convert is None:
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise MappingFailed("conversion")
    if convert == "text":
        return str(value)
    if convert == "upper":
        return str(value).upper()
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise MappingFailed("conversion")
    return int(text)


def _minor_units(value: Any, currency: Any) -> int:
    try:
        return money.parse(value, currency)
    except (Invalid, KeyError, TypeError):
        raise MappingFailed("amount") from None


def _set(made: dict[str, Any], steps: Steps, value: Any) -> None:
    """Put a value in its place; lists grow by one at a time at most."""
    at: Any = made
    for step, following in zip(steps, (*steps[1:], None), strict=True):
        fresh: Any = value if following is None else [] if isinstance(following, int) else {}
        if isinstance(step, int):
            if step > len(at) or step >= MOST_ITEMS:
                raise MappingFailed("a gap in a list")
            if step == len(at):
                at.append(fresh)
            elif following is None:
                at[step] = value
        elif following is None:
            at[step] = value
        else:
            at.setdefault(step, fresh)
        at = at[step]


def _name_credential(made: dict[str, Any]) -> None:
    """The credential's type is that of the one instrument that was found."""
    credential = made.get("credential", {})
    found = [kind for kind in _KINDS if kind in credential]
    if "type" not in credential and len(found) == 1:
        credential["type"] = found[0]
