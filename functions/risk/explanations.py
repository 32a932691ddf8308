"""Why a rule holds: JSON text in the shape of its condition, each leaf with the `actual` value that it saw; of an `any`
only the parts that hold are in it.

It is text because all of it but the values seen is known when the rule is: joining ready pieces costs a fraction of
building nested dictionaries anew for every decision. As in `risk.matching`, no text of a caller becomes
part of a function's source. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from json.encoder import encode_basestring_ascii
from typing import Any, Final

from risk.conditions import AllOf, AnyOf, Compare, Condition, Not, Nothing, Velocity
from risk.fields import Field
from risk.matching import Absent, Program, Slots, Texts, Values

LONGEST_LIST_SHOWN: Final = 20

_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


def texts_of(values: Values) -> Texts:
    """The slots of a decision as JSON text; what is missing is null."""
    return [_AS_TEXT[type(value)](value) for value in values[:-1]]


_AS_TEXT: Final[Mapping[type, Callable[[Any], str]]] = {
    str: encode_basestring_ascii, int: str, list: _encode, Absent: lambda _: "null",
}  # fmt: skip


class Explainer:
    """Writes the part of a program that tells why a rule holds."""

    def __init__(self, slots: Slots, program: Program) -> None:
        self._slots = slots
        self._program = program
        self._some = program.bound(_some)

    def source(self, test: Condition | Sequence[str]) -> str:
        """An expression that is the explanation of a condition, or of paths on the blacklist, that holds."""
        if isinstance(test, Sequence):
            return f"{self._program.bound(partial(_listed, test))}(listed)"
        return self._joined(self._pieces(test))

    def _joined(self, pieces: Iterable[str | _Source]) -> str:
        """Source that joins pieces: texts side by side become one, names side by side one formatted string."""
        parts: list[str | _Source] = []
        for piece in pieces:
            if parts and not isinstance(piece, _Source) and not isinstance(parts[-1], _Source):
                parts[-1] += piece
            else:
                parts.append(piece)
        names = [part if isinstance(part, _Source) else self._program.bound(part) for part in parts]
        return " + ".join(f"f'{{{name}}}'" if name.isidentifier() else name for name in names).replace("' + f'", "")

    def _pieces(self, condition: Condition) -> Iterator[str | _Source]:
        match condition:
            case Nothing():
                yield "{}"
            case AllOf(parts):
                yield '{"all":['
                for number, part in enumerate(parts):
                    yield "," if number else ""
                    yield from self._pieces(part)
                yield "]}"
            case AnyOf(parts):
                each = (
                    f"({self._joined(self._pieces(part))}) if {self._program.source(part)} else ''" for part in parts
                )
                yield from ('{"any":[', _Source(f"{self._some}(({', '.join(each)},))"), "]}")
            case Not(part):
                yield from ('{"not":', *self._pieces(part), "}")
            case Velocity():
                seen = self._slots.of_operand(condition.operand)
                yield from (_opened(leaf_view(condition)), _actual(seen), "}")
            case Compare():
                yield from self._of_compare(condition)

    def _of_compare(self, leaf: Compare) -> Iterator[str | _Source]:
        shown, seen = leaf_view(leaf), _actual(self._slots.of_field(leaf.field))
        if not isinstance(leaf.value, Field):
            yield from (_opened(shown), seen, "}")
            return
        other = shown.pop("value")
        yield from (_encode(shown)[:-1], ',"value":', _opened(other), _actual(self._slots.of_field(leaf.value)), "}")
        yield from (',"actual":', seen, "}")


class _Source(str):
    """A part of a function, made here; anything else is a text that is bound to a name."""

    __slots__ = ()


def _actual(slot: int) -> _Source:
    return _Source(f"t{slot}")


def _opened(members: dict[str, Any]) -> str:
    """An object as text, up to the value of its last member `actual`."""
    return _encode(members)[:-1] + ',"actual":'


def _listed(paths: Sequence[str], listed: Collection[str]) -> str:
    return _encode({"blacklisted": [path for path in paths if path in listed]})


def _some(texts: Iterable[str]) -> str:
    return ",".join(filter(None, texts))


def leaf_view(leaf: Compare | Velocity) -> dict[str, Any]:
    """A leaf as JSON; of a long list the first entries."""
    if isinstance(leaf, Velocity):
        operand = leaf.operand
        shown: dict[str, Any] = {
            "key": operand.key, "window_seconds": operand.window_seconds, "aggregate": operand.aggregate,
        }  # fmt: skip
        if operand.aggregate == "distinct":
            shown["of"] = operand.of
        if operand.outcomes:
            shown["outcomes"] = list(operand.outcomes)
        return {"velocity": shown, "op": leaf.op, "value": leaf.value}
    if isinstance(leaf.value, Field):
        return {"field": leaf.field.path, "op": leaf.op, "value": {"field": leaf.value.path}}
    if leaf.value is None:
        return {"field": leaf.field.path, "op": leaf.op}
    value = list(leaf.value[:LONGEST_LIST_SHOWN]) if isinstance(leaf.value, tuple) else leaf.value
    return {"field": leaf.field.path, "op": leaf.op, "value": value}
