"""A good card."""

from __future__ import annotations

from typing import Any

CARD: dict[str, Any] = {
    "cardholder_name": "John Doe",
    "expiry_month": 4,
    "expiry_year": 2033,
    "account_number": "4242424242424242",
    "security_code": "123",
}
