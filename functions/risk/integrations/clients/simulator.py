"""The sandbox's Link instance, at the base URL `https://link.simulator.invalid` (a name that can never exist).

No network, no memory, the same answer to the same question.

The backend's id chooses what happens:

    allow, review, block   that verdict
    amount                 BLOCK from 1,000.00 of a currency with two decimals, REVIEW from 100.00, else ALLOW
    email                  needs `$.customer.email`; BLOCK at the domain `fraud.example`, else ALLOW
    passthrough            the verdict that the caller's passthrough names in `verdict`
    slow                   no answer in time
    broken                 an error of transport
    unmapped               an error of mapping
    off                    is not enabled
    scores-only            can do nothing but be described: it has no `assess`

All that assess take notifications of every kind but `void`; `deaf` takes none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from risk.integrations.clients.link import TIMEOUT, UNSUPPORTED
from risk.integrations.models import ASSESS, Backend, Call, Reply

BASE_URL: Final = "https://link.simulator.invalid"

_TOLD_OF: Final = tuple(
    f"notify.{kind}"
    for kind in ("authorization", "capture", "refund", "chargeback", "fraud_report", "failed", "resolution")
)
_IDS: Final = ("allow", "review", "block", "amount", "passthrough", "slow", "broken", "unmapped")
BACKENDS: Final = (
    *(Backend(each, f"Simulated: {each}", actions=(ASSESS, *_TOLD_OF)) for each in _IDS),
    Backend("email", "Simulated: email", actions=(ASSESS, *_TOLD_OF), required_fields=("$.customer.email",)),
    Backend("deaf", "Simulated: deaf"),
    Backend("off", "Simulated: off", enabled=False),
    Backend("scores-only", "Simulated: scores-only", actions=()),
)
_VERDICTS: Final = {"allow": "ALLOW", "review": "REVIEW", "block": "BLOCK", "deaf": "ALLOW"}
_TIMING: Final = {"external": 3, "internal": 2, "total": 5}


class Simulator:
    """Answers at once."""

    def discover(self, timeout_ms: int) -> tuple[Backend, ...] | None:  # noqa: ARG002 -- the port's signature
        return BACKENDS

    def invoke(self, call: Call) -> Reply:
        known = next((each for each in BACKENDS if each.id == call.backend), None)
        if call.backend is None:
            return Reply("ambiguous_backend")
        if known is None or call.action not in known.actions:
            return Reply(UNSUPPORTED)
        reference = hashlib.sha256(f"{known.id}/{call.reference}".encode()).hexdigest()
        about: dict[str, Any] = {"execution_id": f"sim-{reference[:16]}", "latency_ms": 5, "timing": _TIMING}
        error = {"slow": TIMEOUT, "broken": "transport_error", "unmapped": "mapping_error"}.get(known.id)
        if error is not None:
            return Reply(error, is_transient=error != "mapping_error", **about)
        if call.action != ASSESS:
            return Reply(raw={}, **about)
        verdict = _verdict(known.id, call.body)
        return Reply(raw={"type": "enum", "value": verdict, "backend_reference": f"sim-{reference[:12]}"}, **about)


def _verdict(backend_id: str, body: Mapping[str, Any]) -> str:
    if backend_id == "amount":
        amount = int(body["transaction"]["amount"])
        return "BLOCK" if amount >= 100_000 else "REVIEW" if amount >= 10_000 else "ALLOW"
    if backend_id == "email":
        return "BLOCK" if str(body["customer"]["email"]).endswith("@fraud.example") else "ALLOW"
    if backend_id == "passthrough":
        wanted = body.get("passthrough", {}).get("verdict")
        return wanted if wanted in {"ALLOW", "REVIEW", "BLOCK"} else "ALLOW"
    return _VERDICTS[backend_id]
