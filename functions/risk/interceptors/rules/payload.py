"""What may be kept of a passing request: which members it has, and the values that the mapping reads. Pure.

Nobody knows what an acquirer's request holds, so that nothing of it is kept but what somebody has named: values behind
a source of the mapping, card numbers never. All other values are replaced by their type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from risk.fields import NoField, canonical
from risk.interceptors.models import DiscoveredKey
from risk.interceptors.rules.fields import CREDENTIAL_NUMBERS, Steps, pattern_of, source_steps, target_steps

MOST_KEYS: Final = 200
MOST_NODES: Final = 1000
MOST_DEPTH: Final = 16
LONGEST_KEY: Final = 200
MASKED: Final = "[masked]"
LEFT_OUT: Final = "[left out]"

Mask = Callable[[str], str]


def discovered(document: Any, mask: Mask) -> list[DiscoveredKey]:
    """The paths of a document's values and their types, of lists those of the first entry. No value, no card number."""
    found: list[DiscoveredKey] = []
    for steps, value in _leaves(document, ()):
        key = canonical(steps) if steps else "$"
        if len(key) <= LONGEST_KEY and mask(key) == key and _can_be_source(key):
            found.append({"key": key, "type": type_of(value)})
        if len(found) == MOST_KEYS:
            break
    return found


def _can_be_source(key: str) -> bool:
    try:
        return key != "$" and bool(source_steps(key))
    except NoField:
        return False


def _leaves(value: Any, steps: Steps) -> Iterator[tuple[Steps, Any]]:
    if len(steps) > MOST_DEPTH:
        return
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _leaves(each, (*steps, name))
    elif isinstance(value, list) and value:
        yield from _leaves(value[0], (*steps, 0))
    else:
        yield steps, value


def type_of(value: Any) -> str:
    """In the words of JSON."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return {str: "string", Decimal: "number", dict: "object", list: "array"}[type(value)]


def masked(document: Any, mappings: Sequence[Mapping[str, Any]], mask: Mask) -> Any:
    """The document with the values that the mapping reads, and types in the place of all others."""
    shown: dict[Steps, bool] = {}
    for mapping in mappings:
        if mapping.get("source") is not None:
            is_number = pattern_of(target_steps(mapping["target"])) in CREDENTIAL_NUMBERS
            steps = source_steps(mapping["source"])
            shown[steps] = shown.get(steps, True) and not is_number
    return _Copy(shown, mask).of(document, ())


class _Copy:
    """A bounded copy."""

    def __init__(self, shown: Mapping[Steps, bool], mask: Mask) -> None:
        self._shown = shown
        self._mask = mask
        self._left = MOST_NODES

    def of(self, value: Any, steps: Steps) -> Any:
        self._left -= 1
        if self._left < 0 or len(steps) > MOST_DEPTH:
            return LEFT_OUT
        if isinstance(value, dict):
            return {self._mask(name): self.of(each, (*steps, name)) for name, each in self._first(value.items())}
        if isinstance(value, list):
            return [self.of(each, (*steps, index)) for index, each in self._first(enumerate(value))]
        if steps not in self._shown:
            return f"[{type_of(value)}]"
        return self._plain(value) if self._shown[steps] else MASKED

    def _first(self, pairs: Any) -> Iterator[tuple[Any, Any]]:
        for pair in pairs:
            if self._left <= 0:
                return
            yield pair

    def _plain(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._mask(value[:1000])
        if isinstance(value, bool) or value is None:
            return value
        text = str(value)
        if self._mask(text) != text:
            return MASKED
        return value if isinstance(value, int) else text
