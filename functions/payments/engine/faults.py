"""What is wrong with a body, sorted by what it means: wrong types are 400, broken rules are 422.

Both are collected in one walk over the body. Paths are member names as sent (`lineItems[0].name`), which the error
body of the family lists under `errors`. Nothing here repeats a value.
"""

from __future__ import annotations

from collections.abc import Sequence

from tollgate.errors import Fault, Invalid, Malformed


class BadBody(Malformed):
    """Members of the wrong JSON type, or required ones that are missing."""

    default_message = "The body does not have the form of the operation"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(self.default_message)
        self.faults = tuple(faults)


class Faults:
    """Collects what is wrong with one body."""

    def __init__(self) -> None:
        self._types: list[Fault] = []
        self._rules: list[Fault] = []

    def wrong_type(self, path: str, message: str) -> None:
        """The member is not of the JSON type of its field (400)."""
        self._types.append(Fault(path, message))

    def broken_rule(self, path: str, message: str) -> None:
        """The member breaks a rule of length, pattern, range or reference (422)."""
        self._rules.append(Fault(path, message))

    def raise_types(self) -> None:
        """Raises:
        BadBody: something had the wrong type.
        """
        if self._types:
            raise BadBody(self._types)

    def raise_rules(self) -> None:
        """Raises:
        Invalid: something broke a rule.
        """
        if self._rules:
            raise Invalid(self._rules, "The body breaks a rule of the operation")
