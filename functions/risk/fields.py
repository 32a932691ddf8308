"""The decision context as rules see it: which fields there are, of which kind, and the paths that name them.

A path is a singular query (RFC 9535, 2.3.5.1): names and non-negative indexes from the root `$`, nothing that could
select more than one value. The catalogue is closed, so that a typing error is refused when a rule is stored instead of
never matching; the card number is not in it. Pure.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

Kind = Literal["text", "number", "date", "ip", "texts"]

LONGEST_PATH: Final = 200
_STEP: Final = re.compile(
    r"\.(?P<name>[A-Za-z_][A-Za-z0-9_]{0,63})|\[(?P<index>0|[1-9][0-9]?)\]|\['(?P<single>[^'\\]{1,64})'\]|\[\"(?P<double>[^\"\\]{1,64})\"\]"
)
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

FINGERPRINT: Final = "$.credential_fingerprint"
CUSTOMER: Final = "$.customer.id"
DEVICE: Final = "$.device.fingerprint"
ADDRESS: Final = "$.device.ip"
AMOUNT: Final = "$.transaction.amount"

VELOCITY_KEYS: Final = (FINGERPRINT, CUSTOMER, DEVICE, ADDRESS)
"""What velocity is counted by: card, customer, device, IP."""

ALWAYS_PRESENT: Final = frozenset(
    {FINGERPRINT, "$.credential_type", "$.masked_credential", "$.context", CUSTOMER, AMOUNT}
    | {"$.transaction.reference", "$.transaction.currency"}
)
"""Fields that every decision has."""


def _kinds() -> dict[str, Kind]:
    texts: dict[str, str] = {
        "": "credential_fingerprint credential_type masked_credential context payment_type",
        "credential.pan": "scheme cardholder_name",
        "credential.masked_pan": "scheme cardholder_name bin last4",
        "credential.sepa": "bic account_holder_name country",
        "customer": "id email first_name last_name",
        "transaction": "reference currency",
        "device": "fingerprint user_agent session language",
        "billing": "first_name last_name address1 address2 city state postal_code country",
        "shipping": "first_name last_name address1 address2 city state postal_code country carrier method",
        "items[]": "name sku product_type",
        "airline.passengers[]": "first_name last_name",
        "airline.legs[]": "carrier flight_number origin destination departs_at arrives_at fare_class",
    }
    numbers: dict[str, str] = {
        "credential.pan": "expiry_month expiry_year",
        "credential.masked_pan": "expiry_month expiry_year",
        "transaction": "amount",
        "items[]": "price quantity",
    }
    found: dict[str, Kind] = {}
    kinds: tuple[tuple[Kind, dict[str, str]], ...] = (("text", texts), ("number", numbers))
    for kind, groups in kinds:
        for group, names in groups.items():
            found |= {f"{group}.{name}".lstrip("."): kind for name in names.split()}
    found["customer.date_of_birth"] = found["airline.passengers[].date_of_birth"] = "date"
    found["device.ip"] = "ip"
    found["items[].categories"] = "texts"
    return found


KINDS: Final[Mapping[str, Kind]] = _kinds()
"""Path without `$.` and with `[]` for any index → kind. `metadata.<name>` is text besides."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the context: its canonical path, the steps that lead there, its kind."""

    path: str
    steps: tuple[str | int, ...]
    kind: Kind


class NoField(ValueError):
    """A path that names no field; the text says why and quotes nothing."""


def field_at(path: object) -> Field:
    """The field that a path names.

    Raises:
        NoField: it is no singular query, or leads to nothing that rules may see.
    """
    if not isinstance(path, str):
        raise NoField("must be a string")
    return _field_at(path)


@lru_cache(maxsize=1024)
def _field_at(path: str) -> Field:
    steps = steps_of(path)
    pattern = "".join("[]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
    if len(steps) == 2 and steps[0] == "metadata" and isinstance(steps[1], str):
        return Field(canonical(steps), steps, "text")
    if pattern not in KINDS:
        raise NoField("is not a field of a decision")
    return Field(canonical(steps), steps, KINDS[pattern])


def steps_of(path: str) -> tuple[str | int, ...]:
    """The names and indexes that a path leads over. Raises NoField: it is no singular query."""
    if len(path) > LONGEST_PATH:
        raise NoField(f"must have at most {LONGEST_PATH} characters")
    if not path.startswith("$"):
        raise NoField("must be a path that begins with $")
    steps: list[str | int] = []
    position = 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise NoField("must be a path of names and indexes to one value")
        index = step["index"]
        steps.append(int(index) if index else step["name"] or step["single"] or step["double"])
        position = step.end()
    if not steps:
        raise NoField("must lead to a value")
    return tuple(steps)


def canonical(steps: tuple[str | int, ...]) -> str:
    """One spelling per path: `$.metadata.tier`, `$.items[0].price`, `$.metadata['a b']`."""
    text = "$"
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if _PLAIN_NAME.fullmatch(step) else f"['{step}']" if "'" not in step else f'["{step}"]'
    return text


def value_at(context: Mapping[str, Any], field: Field) -> Any:
    """What stands in the context there, of the field's kind; None where it is missing or of another kind."""
    value: Any = context
    for step in field.steps:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value if isinstance(value, PYTHON_TYPES[field.kind]) and not isinstance(value, bool) else None


PYTHON_TYPES: Final[Mapping[Kind, type]] = {"text": str, "number": int, "date": str, "ip": str, "texts": list}


def canonical_ip(text: str) -> str:
    """One spelling per address (RFC 5952; an IPv4-mapped address is the IPv4 one).

    Raises:
        ValueError: it is no address.
    """
    address = ipaddress.ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        return str(mapped)
    if getattr(address, "scope_id", None) is not None:
        raise ValueError("an address with a zone is of one machine only")
    return str(address)
