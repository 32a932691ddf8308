"""What sets a function going: HTTP routes, queues, table streams and schedules, read from a function's `Events`.

Shapes and their reading only; serving them is `routes.py`, `queues.py`, `streams.py` and `schedules.py`.
Defaults are those of the SAM and Lambda references.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.intrinsics import TemplateError, text_of, truth_of


@dataclass(frozen=True, slots=True)
class Route:
    """One HTTP API route; `path` is None for the `$default` route, `method` is upper case or `ANY`."""

    function: str
    method: str
    path: str | None

    @property
    def key(self) -> str:
        return "$default" if self.path is None else f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class QueueSource:
    """An event source mapping from an SQS queue (by ARN) to a function. Windows in seconds."""

    function: str
    name: str
    queue_arn: str
    batch_size: int
    window: float
    reports_failures: bool
    concurrency: int | None
    filters: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class StreamSource:
    """An event source mapping from a table's stream to a function.

    `table` is the table's logical id; `retries` None means for ever; `on_failure_arn` a queue.
    """

    function: str
    name: str
    table: str
    starts_at: str
    batch_size: int
    window: float
    bisects: bool
    retries: int | None
    maximum_age: int | None
    reports_failures: bool
    on_failure_arn: str | None
    filters: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule: `rate(…)` or `cron(…)` in UTC. `payload` is what the function gets; None stands for the default."""

    function: str
    name: str
    expression: str
    payload: Any
    is_scheduler: bool


Source = Route | QueueSource | StreamSource | Schedule


def read_event(function: str, name: str, event: Mapping[str, Any]) -> Source | None:
    """One entry of `Events`, already resolved; None if it is switched off.

    Raises:
        TemplateError: an event type, or a member of one, that the local machine does not serve.
    """
    kind, properties = event["Type"], event.get("Properties", {})
    reader = _READERS.get(kind)
    if reader is None:
        raise TemplateError(f"{function}.{name}: the local machine has no event source {kind}")
    read, members = reader
    unknown = set(properties) - members
    if unknown:
        raise TemplateError(f"{function}.{name}: not served by the local machine: {', '.join(sorted(unknown))}")
    if not _is_enabled(properties):
        return None
    source: Source = read(function, f"{function}{name}", properties)
    return source


def _is_enabled(properties: Mapping[str, Any]) -> bool:
    if "Enabled" in properties:
        return truth_of(properties["Enabled"])
    return bool(properties.get("State", "ENABLED") == "ENABLED")


def _route(function: str, _name: str, properties: Mapping[str, Any]) -> Route:
    path = properties.get("Path")
    method = text_of(properties.get("Method", "ANY")).upper()
    return Route(function, "ANY" if method in {"ANY", "X-AMAZON-APIGATEWAY-ANY-METHOD"} else method, path)


def _queue_source(function: str, name: str, properties: Mapping[str, Any]) -> QueueSource:
    return QueueSource(
        function,
        name,
        queue_arn=properties["Queue"],
        batch_size=int(properties.get("BatchSize", 10)),
        window=float(properties.get("MaximumBatchingWindowInSeconds", 0)),
        reports_failures=_reports_failures(properties),
        concurrency=_optional_int(properties.get("ScalingConfig", {}).get("MaximumConcurrency")),
        filters=_filters(properties),
    )


def _stream_source(function: str, name: str, properties: Mapping[str, Any]) -> StreamSource:
    retries = int(properties.get("MaximumRetryAttempts", -1))
    age = int(properties.get("MaximumRecordAgeInSeconds", -1))
    return StreamSource(
        function,
        name,
        table=_table_of(properties["Stream"]),
        starts_at=properties["StartingPosition"],
        batch_size=int(properties.get("BatchSize", 100)),
        window=float(properties.get("MaximumBatchingWindowInSeconds", 0)),
        bisects=truth_of(properties.get("BisectBatchOnFunctionError", False)),
        retries=None if retries < 0 else retries,
        maximum_age=None if age < 0 else age,
        reports_failures=_reports_failures(properties),
        on_failure_arn=properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"),
        filters=_filters(properties),
    )


def _table_of(stream: str) -> str:
    """The table's name out of a stream's ARN."""
    return stream.split("/")[1]


def _schedule(function: str, name: str, properties: Mapping[str, Any]) -> Schedule:
    return _read_schedule(function, name, properties["Schedule"], properties)


def _scheduler(function: str, name: str, properties: Mapping[str, Any]) -> Schedule:
    if properties.get("ScheduleExpressionTimezone", "UTC") != "UTC":
        raise TemplateError(f"{name}: the local machine runs schedules in UTC only")
    return _read_schedule(function, name, properties["ScheduleExpression"], properties, is_scheduler=True)


def _read_schedule(
    function: str, name: str, expression: str, properties: Mapping[str, Any], *, is_scheduler: bool = False
) -> Schedule:
    payload = properties.get("Input")
    return Schedule(function, name, expression, json.loads(payload) if payload else None, is_scheduler)


def _reports_failures(properties: Mapping[str, Any]) -> bool:
    return "ReportBatchItemFailures" in properties.get("FunctionResponseTypes", ())


def _filters(properties: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    filters = properties.get("FilterCriteria", {}).get("Filters", ())
    return tuple(json.loads(entry["Pattern"]) for entry in filters)


def _optional_int(value: Any) -> int | None:
    return None if value is None else int(value)


_READERS: dict[str, tuple[Any, frozenset[str]]] = {
    "HttpApi": (_route, frozenset({"ApiId", "Path", "Method", "PayloadFormatVersion", "TimeoutInMillis"})),
    "SQS": (
        _queue_source,
        frozenset(
            {
                "Queue",
                "BatchSize",
                "MaximumBatchingWindowInSeconds",
                "FunctionResponseTypes",
                "ScalingConfig",
                "FilterCriteria",
                "Enabled",
            }
        ),
    ),
    "DynamoDB": (
        _stream_source,
        frozenset(
            {
                "Stream",
                "StartingPosition",
                "BatchSize",
                "MaximumBatchingWindowInSeconds",
                "BisectBatchOnFunctionError",
                "MaximumRetryAttempts",
                "MaximumRecordAgeInSeconds",
                "FunctionResponseTypes",
                "DestinationConfig",
                "FilterCriteria",
                "Enabled",
                "ParallelizationFactor",
            }
        ),
    ),
    "Schedule": (
        _schedule,
        frozenset({"Schedule", "Input", "Enabled", "State", "Name", "Description", "RetryPolicy", "DeadLetterConfig"}),
    ),
    "ScheduleV2": (
        _scheduler,
        frozenset(
            {
                "ScheduleExpression",
                "ScheduleExpressionTimezone",
                "Input",
                "State",
                "Name",
                "Description",
                "RetryPolicy",
                "FlexibleTimeWindow",
                "DeadLetterConfig",
                "OmitName",
            }
        ),
    ),
}
