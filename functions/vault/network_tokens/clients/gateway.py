"""A real token service provider, reached over HTTPS through the egress guard.

Schemes' own services differ in form and need a contract; this is the plain protocol that a bridge to any of them
speaks (docs/decisions/0014-network-tokens.md). Ids are ours, so every call may be repeated:

    PUT    /network-tokens/{enrolment}                            card → status, network token
    DELETE /network-tokens/{enrolment}                            204, or 404
    PUT    /network-tokens/{enrolment}/cryptograms/{request}      merchant, amount → cryptogram; 409 with the status

Answers are read as strictly as requests: what does not hold is `UpstreamRefused`, and nothing of it is repeated.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, Final

from tollgate.egress import Answer, Egress
from tollgate.errors import Failure, Unavailable, UpstreamRefused
from tollgate.models.json_body import parse_json
from vault import pans
from vault.network_tokens.errors import NetworkTokenEnded
from vault.network_tokens.models import CryptogramRequest, Enrolment, NetworkToken, Outcome
from vault.tokenisation import STATUSES

DEADLINE_SECONDS: Final = 8
MOST_ANSWER_BYTES: Final = 65_536
_CRYPTOGRAM_BYTES: Final = 20
_REFERENCE_CHARACTERS: Final = 29


class Gateway:
    """Speaks to the bridge at `base_url`. `secret` gives the bearer credential when it is first needed."""

    def __init__(self, egress: Egress, base_url: str, secret: Callable[[], str]) -> None:
        self._egress = egress
        self._base_url = base_url.rstrip("/")
        self._secret = secret

    def enrol(self, enrolment: Enrolment) -> Outcome:
        card = {
            "account_number": enrolment.account_number,
            "expiration_month": enrolment.expiry_month,
            "expiration_year": enrolment.expiry_year,
            "cardholder_name": enrolment.cardholder_name,
            "scheme": enrolment.scheme,
            "bypass_identification": enrolment.bypass_identification,
        }
        return _outcome(_members(self._call("PUT", enrolment.id, card), 200, 201, 202))

    def delete(self, enrolment_id: str) -> None:
        _require(self._call("DELETE", enrolment_id, None), 200, 204, 404)

    def cryptogram(self, request: CryptogramRequest) -> str:
        wanted = {
            "amount": request.amount,
            "currency_code": request.currency_code,
            "merchant": {"id": request.merchant_id, "name": request.merchant_name},
        }
        answer = self._call("PUT", f"{request.enrolment_id}/cryptograms/{request.id}", wanted)
        if answer.status == 409:
            raise NetworkTokenEnded(_outcome(_members(answer, 409)).status)
        return _cryptogram(_members(answer, 200, 201).get("cryptogram"))

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Answer:
        headers = [("authorization", f"Bearer {self._secret()}"), ("accept", "application/json")]
        if body is not None:
            headers.append(("content-type", "application/json"))
        return self._egress.request(
            method,
            f"{self._base_url}/network-tokens/{path}",
            headers,
            None if body is None else json.dumps(body).encode(),
            deadline_seconds=DEADLINE_SECONDS,
            max_response_bytes=MOST_ANSWER_BYTES,
        )


def _require(answer: Answer, *expected: int) -> None:
    if answer.status in (429, 503):
        raise Unavailable
    if answer.status not in expected:
        raise UpstreamRefused


def _members(answer: Answer, *expected: int) -> dict[str, Any]:
    _require(answer, *expected)
    try:
        value = parse_json(answer.body)
    except Failure:
        value = None
    if not isinstance(value, dict):
        raise UpstreamRefused
    return value


def _outcome(members: dict[str, Any]) -> Outcome:
    status = members.get("status")
    if status not in STATUSES:
        raise UpstreamRefused
    found = members.get("network_token")
    if status == "active" and found is None:
        raise UpstreamRefused
    return Outcome(status, None if found is None else _network_token(found))


def _network_token(members: Any) -> NetworkToken:
    if not isinstance(members, dict):
        raise UpstreamRefused
    number, month, year = (members.get(name) for name in ("account_number", "expiration_month", "expiration_year"))
    reference = members.get("payment_account_reference")
    is_good = pans.pan_problem(number) is None and _is_within(month, 1, 12) and _is_within(year, 2000, 9999)
    if not is_good or not (reference is None or _is_reference(reference)):
        raise UpstreamRefused
    return NetworkToken(str(number), int(month), int(year), reference)  # type: ignore[arg-type]


def _is_within(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_reference(value: object) -> bool:
    return isinstance(value, str) and len(value) == _REFERENCE_CHARACTERS and value.isascii() and value.isalnum()


def _cryptogram(value: object) -> str:
    try:
        is_good = isinstance(value, str) and len(base64.b64decode(value, validate=True)) == _CRYPTOGRAM_BYTES
    except ValueError:
        is_good = False
    if not is_good:
        raise UpstreamRefused
    return str(value)
