"""The HTTP door of analytics: routes and composition. It carries no query out and loads neither parser nor engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from payments.analytics.clients.orders import OrderQueue
from payments.analytics.clients.results import ResultStore
from payments.analytics.models import LEAST_SQL, MOST_SQL, Query, view
from payments.analytics.repository import AccountObjects, QueryRepository
from payments.analytics.service.queries import ASK_AGAIN_AFTER, Asker, QueryService
from payments.engine import parameters, shapes
from payments.engine.errors import BadParameters
from payments.engine.faults import Faults
from payments.engine.fields import AnyValue, Field, Long, Many, Moment, OneOf, Shape, Text, int32
from payments.engine.routes import route
from tollgate import aws, config
from tollgate.auth.directory import ACTIVE
from tollgate.config import PaymentsSettings
from tollgate.dialects.payments import ACCOUNT, PAYMENTS, Authenticator, accepts, caller_of
from tollgate.errors import Invalid
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter, whole_number
from tollgate.log import Journal
from tollgate.store.table import Table


@dataclass(frozen=True)
class AnalyticsSettings(PaymentsSettings):
    """The family's table, the bucket of results and the queue of queries."""

    analytics_bucket: str
    analytics_queue_url: str


_settings = config.load(AnalyticsSettings)
_table = Table(_settings.payments_table, aws.dynamodb())
_service = QueryService(
    QueryRepository(_table),
    AccountObjects(_table),
    ResultStore(aws.s3(), _settings.analytics_bucket),
    OrderQueue(aws.sqs(), _settings.analytics_queue_url),
)

_TEXT: Final = "text/plain"
_LONGEST_EXTERNAL_ID: Final = 200
_BODY: Final = Shape(
    "AnalyticsQueryExecutionRequest",
    (
        Field("sql", Text(MOST_SQL, least=LEAST_SQL), description="One query in the dialect of Trino (PrestoDB)"),
        Field("sftpDispatchSettingsId", Long(1)),
        Field("sftpDispatchResultFileRenamePattern", Text(500)),
    ),
    ("sql",),
)
_SUBMITTED: Final = Shape("AnalyticsQueryExecutionResponse", (Field("queryToken", Text()),))
_QUERY: Final = Shape(
    "SubmittedAnalyticsQueryExecution",
    (
        Field("accountId", Long(1)),
        Field("createdTimestamp", Moment()),
        Field("downloadRequests", Long(0)),
        Field("failureMessage", Text(), description="Why a query has failed"),
        Field("originalQuery", Text()),
        Field("portalQueryToken", Text()),
        Field("queryExternalId", Text()),
        Field("resultFileBytes", Long(0)),
        Field("scannedBytes", Long(0)),
        Field("status", OneOf.of("PROCESSING CANCELLED FAILED SUCCESS")),
        Field("totalBilledExecutionTimeMs", Long(0)),
    ),
)
_PAGE: Final = Shape(
    "ResultPortionModel",
    (
        Field("items", Many(AnyValue()), description="Queries, the latest first"),
        Field("limit", int32(1)),
        Field("offset", int32(0)),
        Field("totalCount", Long(0)),
    ),
)


def _external_id(text: str) -> str:
    if not 1 <= len(text) <= _LONGEST_EXTERNAL_ID:
        raise ValueError(f"must have 1 to {_LONGEST_EXTERNAL_ID} characters")
    return text


SUBMIT: Final = (
    Parameter(
        "queryExternalId", _external_id, {"type": "string", "minLength": 1, "maxLength": _LONGEST_EXTERNAL_ID},
        "A name of the client's own; a name that was used answers that query instead of running another",
    ),
)  # fmt: skip
PAGE: Final = (
    Parameter(
        "offset", whole_number(0, parameters.MOST_OFFSET),
        {"type": "integer", "minimum": 0, "maximum": parameters.MOST_OFFSET}, "How many queries to leave out",
    ),
    Parameter(
        "limit", whole_number(1, parameters.MOST_LIMIT),
        {"type": "integer", "minimum": 1, "maximum": parameters.MOST_LIMIT}, "The most queries to return",
    ),
)  # fmt: skip


def submit_query(request: Request) -> Answer:
    """Have a query carried out."""
    external_id = _required(request, SUBMIT)["queryExternalId"]
    faults = Faults()
    given = _BODY.read(request.json(), "", faults)
    faults.raise_types()
    faults.raise_rules()
    if given.get("sftpDispatchSettingsId") is not None:
        raise Invalid.at("sftpDispatchSettingsId", "names settings that are not there")
    return Answer(201, {"queryToken": _service.submit(_asker(request), external_id, given["sql"])})


def list_queries(request: Request) -> Answer:
    """The account's queries, the latest first."""
    asked = _required(request, PAGE)
    found, total = _service.page(caller_of(request).account, asked["offset"], asked["limit"])
    return Answer(200, {"items": [view(each) for each in found], **asked, "totalCount": total})


def read_query(request: Request) -> Answer:
    """How a query stands; waits a while for it to come to an end."""
    query = _service.waited_for(_query(request))
    if query.state == "PROCESSING":
        return Answer(202, view(query), {"retry-after": str(ASK_AGAIN_AFTER)})
    return Answer(200, view(query))


def read_result(request: Request) -> Answer:
    """A URL of the result, for five minutes."""
    url = _service.result_url(_query(request))
    if url is None:
        return Answer(204)
    return Answer(200, url.encode(), content_type=_TEXT) if accepts(request, _TEXT) else Answer(200, url)


def cancel_query(request: Request) -> Answer:
    """Nobody wants a query's result any more."""
    _service.cancel(_query(request))
    return Answer(204)


def _query(request: Request) -> Query:
    """The query that the path names, by its token or by its external id."""
    account, path = caller_of(request).account, request.parameters
    if "queryToken" in path:
        return _service.by_token(account, path["queryToken"])
    return _service.by_external_id(account, path["queryExternalId"])


def _required(request: Request, wanted: tuple[Parameter, ...]) -> dict[str, Any]:
    asked = parameters.read(request.raw_query, wanted)
    for each in wanted:
        if asked[each.name] is None:
            raise BadParameters.at(each.name, "is required")
    return {each.name: asked[each.name] for each in wanted}


def _asker(request: Request) -> Asker:
    caller = caller_of(request)
    directory = caller.directory
    account = directory.account(caller.account) if directory else None
    path = account.path if account else ()

    def may_in_space(permission: str, number: int) -> bool:
        space = directory.space(number) if directory else None
        if space is None or space.tenant != caller.account_id or space.state != ACTIVE:
            return False
        return caller.account in space.path and (not permission or caller.may(permission, space.path, space.id))

    return Asker(
        caller.account, caller.root, lambda permission: not permission or caller.may(permission, path), may_in_space
    )  # fmt: skip


_TAG: Final = "Analytics"
_WAITS: Final = (
    "Holds the answer for up to 20 seconds. 202 with `Retry-After` means that it is still in work. What is no query, "
    "takes too much or names what there is not comes to the status FAILED, with a message."
)
_COUNTED: Final = (
    "The URL can be used for five minutes by whoever has it. Every URL counts as a download, so this is not the way to "
    "ask whether there is a result. 204 where the result has no rows."
)


def _of(path: str, by: str) -> tuple[Any, ...]:
    return (
        route(
            "GET", path, read_query, f"Status of a query by {by}", permission="analytics.read", scope=ACCOUNT, tag=_TAG,
            answer=shapes.shaped(_QUERY), description=_WAITS,
        ),
        route(
            "DELETE", path, cancel_query, f"Cancel a query by {by}", permission="analytics.submit", scope=ACCOUNT,
            tag=_TAG, status=204, description="Possible while it is in work.",
        ),
        route(
            "GET", f"{path}/result", read_result, f"Result of a query by {by}", permission="analytics.download",
            scope=ACCOUNT, tag=_TAG, media_type=_TEXT, answer=str, description=_COUNTED,
        ),
    )  # fmt: skip


ROUTES = (
    route(
        "GET", "/analytics/queries", list_queries, "List the account's queries", permission="analytics.read",
        scope=ACCOUNT, tag=_TAG, query=PAGE, answer=shapes.shaped(_PAGE),
    ),
    route(
        "POST", "/analytics/queries/submit", submit_query, "Submit a query", permission="analytics.submit",
        scope=ACCOUNT, tag=_TAG, query=SUBMIT, body=shapes.body(_BODY), answer=shapes.shaped(_SUBMITTED), status=201,
        description="Reads the account's spaces and those of the accounts below it. See the guide on analytics.",
    ),
    *_of("/analytics/queries/queryToken/{queryToken}", "token"),
    *_of("/analytics/queries/queryExternalId/{queryExternalId}", "external id"),
)  # fmt: skip

handler = App(
    PAYMENTS,
    ROUTES,
    authenticate=Authenticator.of(_settings),
    journal=Journal("analytics", _settings.log_level),
)
