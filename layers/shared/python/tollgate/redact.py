"""What may reach a log: a list of field names, and text from which card-number-like runs of digits have been masked.

Nobody should ever log card data; this module holds when somebody does. It says what MAY be logged, since a list of what
may not is always one name short. It is loaded by every function: standard library only, no configuration, no state.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from tollgate import luhn

MASKED: Final = "[masked]"
LONGEST_TEXT: Final = 512

LOGGABLE: Final[frozenset[str]] = frozenset(
    {
        # which request, where it ran
        "request_id", "function", "service", "method", "route", "status", "duration_ms", "credential", "where",
        "host", "port", "cold_start", "correlation_id", "trace_id",
        # how it went wrong: kinds and codes, never texts
        "failure", "error_kind", "error_code", "aws_error", "reason", "attempt", "attempts", "retry_after_seconds",
        # which objects: identifiers made here
        "account_id", "token_id", "session_id", "merchant_id", "import_id", "network_token_id", "authentication_id",
        "decision_id", "ruleset_id", "rule_id", "interceptor_id", "integration_id", "event_id", "entry_id",
        "space_id", "transaction_id", "charge_id", "refund_id", "webhook_id", "delivery_id", "subscription_id",
        "customer_id", "order_id", "wallet_id", "exchange_id", "deposit_id", "withdrawal_id", "export_id",
        "client_id", "key_id", "schedule", "message_id", "operation_id", "job_id",
        # in which state, of what kind
        "action", "event_type", "state", "from_state", "to_state", "outcome", "scheme", "provider", "family", "table",
        "queue", "scope", "version", "network", "currency_code", "replayed",
        # how many, how long, how far
        "count", "total", "succeeded", "failed", "skipped", "remaining", "page", "page_size", "bytes", "batch_size",
        "lag_ms", "age_seconds", "sequence", "cursor_position", "rate_per_second",
    }
)  # fmt: skip


def scrub(text: str) -> str:
    """`text` with every run of 12 to 19 digits that passes Luhn masked (and every unbroken run longer than that).

    Digits may stand alone, be glued to letters, or be separated by single spaces or hyphens, also as a URL escapes them
    (the text then comes back unescaped). UUIDs stay whole.
    """
    masked = _masked(text)
    if "%" not in masked:
        return masked
    unescaped = unquote(masked)
    scrubbed = _masked(unescaped)
    return masked if scrubbed == unescaped else scrubbed


def _masked(text: str) -> str:
    kept: list[str] = []
    position = 0
    for start, end in luhn.spans(text):
        kept += (text[position:start], MASKED)
        position = end
    return text if not kept else "".join(kept) + text[position:]


def allowed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that may be logged: names in `LOGGABLE`, plain values, text scrubbed and cut to 512 characters."""
    return {name: _plain(value) for name, value in fields.items() if name in LOGGABLE}


def _plain(value: object) -> str | int | float | bool | None:
    """A scalar as it is, its number checked; of anything else only the type, since its text form may hold anything."""
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return MASKED if _is_pan_like(abs(value)) else value
    if isinstance(value, str):
        return scrub(_cut(value))
    return f"<{type(value).__name__}>"


def _is_pan_like(number: int) -> bool:
    """As for text: 12 to 19 digits that pass, or more of them."""
    if number < 10 ** (luhn.SHORTEST - 1):
        return False
    return number >= 10**luhn.LONGEST or luhn.passes(str(number))


def _cut(text: str) -> str:
    """The first 512 characters, without the digits at the cut: half a card number no longer looks like one."""
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT].rstrip("0123456789 -")


# What the logging module itself puts on every record; any other attribute came from `extra=`.
_OWN_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class RedactingFilter(logging.Filter):
    """Defence in depth for loggers that others write to: scrubs the message, drops extras that may not be logged.

    Exception texts are dropped and only the type is kept, because libraries quote their input in them.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = scrub(_cut(_message(record)))
        record.args = None
        if record.exc_info and record.exc_info[0] is not None:
            record.error_kind = record.exc_info[0].__name__
        record.exc_info = record.exc_text = record.stack_info = None
        extras = {name: value for name, value in vars(record).items() if name not in _OWN_ATTRIBUTES}
        for name in extras:
            delattr(record, name)
        vars(record).update(allowed(extras))
        return True


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # a malformed call to the logger must not fail the request
        return "unformattable log message"


def install() -> None:
    """Put the filter on every handler of the root logger, through which libraries write. Safe to repeat."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(each, RedactingFilter) for each in handler.filters):
            handler.addFilter(RedactingFilter())
