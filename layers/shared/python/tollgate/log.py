"""Structured logs and embedded metrics: one line per request, identifiers and counts only.

What may be logged is the list of names in `tollgate.redact.LOGGABLE`; anything else is dropped, and what passes is
scrubbed of digit runs that could be a PAN. Error texts are never logged, since libraries quote their input in them.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from tollgate.redact import allowed

if TYPE_CHECKING:
    from tollgate.http.message import Request

NAMESPACE = "Tollgate"


class Journal:
    """The log and the metrics of one function."""

    def __init__(self, service: str, level: str = "INFO") -> None:
        self._service = service
        self._logger = Logger(service=service, level=level, utc=True, log_uncaught_exceptions=False)
        if not gc.isenabled():
            gc.freeze()
            gc.enable()

    def request(self, request: Request, route: str, status: int, duration_ms: float) -> None:
        """The line and the metrics of a request that was answered."""
        fields: dict[str, Any] = {
            "request_id": request.request_id,
            "method": request.method if len(request.method) <= 10 else "-",
            "route": route,
            "status": status,
            "duration_ms": round(duration_ms, 1),
            **request.notes,
        }
        if request.caller_ is not None:
            fields["account_id"] = request.caller_.account_id
            fields["credential"] = request.caller_.credential
        self._logger.info("request", extra=allowed(fields))
        values: dict[str, tuple[MetricUnit, float]] = {
            "Duration": (MetricUnit.Milliseconds, duration_ms),
            "Requests": (MetricUnit.Count, 1),
            "ServerErrors": (MetricUnit.Count, int(status >= 500)),
        }
        self._emit({"route": route}, values)

    def fault(self, request: Request | None, error: BaseException) -> None:
        """An unforeseen error: its type and place."""
        from tollgate.http.app import where

        fields = {"error_kind": type(error).__name__, "where": where(error)}
        if request is not None:
            fields["request_id"] = request.request_id
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            fields["aws_error"] = str(response.get("Error", {}).get("Code", ""))
        self._logger.error("fault", extra=allowed(fields))

    def note(self, message: str, **fields: Any) -> None:
        """One effect worth a line; `message` is a constant."""
        self._logger.info(message, extra=allowed(fields))

    def count(self, **values: int) -> None:
        """Metrics of a run: names and counts."""
        self._emit({}, {name: (MetricUnit.Count, value) for name, value in values.items()})

    def _emit(self, dimensions: dict[str, str], values: dict[str, tuple[MetricUnit, float]]) -> None:
        metrics = EphemeralMetrics(namespace=NAMESPACE, service=self._service)
        for name, value in dimensions.items():
            metrics.add_dimension(name, value)
        for name, (unit, amount) in values.items():
            metrics.add_metric(name, unit, amount)
        metrics.flush_metrics()
