"""The operations of the back office, for the doors that serve them; its duty, for the clock; and the ways in for
templates and platforms, which arise in other groups.

There is no function of its own: the paths are many and each would cost the template two resources.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from payments.back_office.repository import OfficeRepository, TaskRepository
from payments.back_office.service.office import (
    MOST_COUNTED,
    Boarding,
    Consumption,
    PartnerHooks,
    PartnershipHooks,
    Themes,
    ViewHooks,
)
from payments.back_office.service.tasks import Decider, ManualTasks
from payments.back_office.service.templates import add_templates
from payments.bodies import read_body
from payments.engine import documents, parameters, shapes
from payments.engine.errors import BadParameters, ValueTaken
from payments.engine.fields import LOCALIZED, AnyValue, DecimalNumber, Field, Long, MapOf, Shape, day_of, moment_of
from payments.engine.repository import IdTaken, Objects
from payments.engine.routes import Engine, object_id, route
from payments.engine.service import ResourceService
from payments.resources.back_office import (
    ACCOUNT_THEME,
    CLIENT_PLATFORM,
    PARTNER_CONFIGURATION,
    PARTNERSHIP,
    SAVED_VIEW,
    THEME_BODY,
)
from payments.resources.documents import DOCUMENT_TEMPLATE
from payments.resources.manual_tasks import MANUAL_TASK
from payments.units import UnitOfWork
from tollgate.dialects.payments import ACCOUNT, accepts
from tollgate.errors import Malformed
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter
from tollgate.http.route import Endpoint, Route

__all__ = [
    "Decider",
    "ManualTasks",
    "add_templates",
    "manual_tasks_of",
    "note_platform",
    "payment_routes",
    "routes",
    "task_routes",
]

_TEXT: Final = "text/plain"
_FORM: Final = "multipart/form-data"
_LONGEST: Final = 100
_PLATFORM: Final = ("integrationType", "osVersion", "platformType", "sdkVersion")


def manual_tasks_of(objects: Objects, deciders: Mapping[int, Decider] | None = None) -> ManualTasks:
    """Tasks over a function's table; `deciders` carry decisions out, by the task's type."""
    return ManualTasks(objects, TaskRepository(objects), deciders)


def note_platform(objects: Objects, tenant: str, scope: str, transaction_id: int, given: Mapping[str, str]) -> None:
    """Note what the buyer of a transaction pays on; what was noted first stands."""
    known = {name: given[name][:_LONGEST] for name in _PLATFORM if given.get(name)}
    unit = UnitOfWork(objects, tenant, scope)
    unit.insert(CLIENT_PLATFORM, {**known, "transaction": transaction_id, "spaceId": int(scope[1:])})
    with contextlib.suppress(ValueTaken, IdTaken):
        unit.commit()


def payment_routes(engine: Engine) -> tuple[Route, ...]:
    """The operations below `/payment`."""
    return engine.routes_of(engine.service(CLIENT_PLATFORM))


def task_routes(engine: Engine, deciders: Mapping[int, Decider]) -> tuple[Route, ...]:
    """The operations of manual tasks, beside what is decided by them."""
    return _tasks(engine, manual_tasks_of(engine.objects, deciders))


def routes(engine: Engine) -> tuple[Route, ...]:
    """All other operations."""
    repository = OfficeRepository(engine.objects)
    return (
        *engine.routes_of(engine.service(DOCUMENT_TEMPLATE)),
        *engine.routes_of(engine.service(SAVED_VIEW, ViewHooks())),
        _consumption(engine, Consumption(repository)),
        *_boarding(engine, Boarding(repository)),
        *_themes(engine, Themes(engine.objects)),
        *engine.routes_of(engine.service(PARTNER_CONFIGURATION, PartnerHooks())),
        *_partnerships(engine),
    )


# ---------------------------------------------------------------------- manual tasks


def _tasks(engine: Engine, tasks: ManualTasks) -> tuple[Route, ...]:
    service, tag = engine.service(MANUAL_TASK), "ManualTasks"

    def act_on_task(request: Request) -> Answer:
        tasks.act(engine.context(request), object_id(request), object_id(request, "actionId"))
        return Answer(204)

    def read_notification(request: Request) -> Answer:
        text = tasks.notification(service.read(engine.context(request), object_id(request)))
        return Answer(200, text.encode(), content_type=_TEXT) if accepts(request, _TEXT) else Answer(200, text)

    return (
        *engine.routes_of(service),
        route(
            "POST", "/manual-tasks/{id}/action/{actionId}", act_on_task, "Decide a task", permission="manualTask.act",
            tag=tag, status=204, description="`actionId` is one of the task's actions.",
        ),
        route(
            "GET", "/manual-tasks/{id}/notification", read_notification, "What somebody is told of a task",
            permission="manualTask.read", tag=tag, media_type=_TEXT, answer=str,
        ),
    )  # fmt: skip


# ---------------------------------------------------------------------- consumption


def _moment(text: str) -> datetime:
    moment, day = moment_of(text), day_of(text)
    if moment is None and day is not None:
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    if moment is None:
        raise ValueError("must be a date or a date-time of ISO 8601")
    return moment


_PERIOD: Final = (
    Parameter("startDate", _moment, {"type": "string", "format": "date-time"}, "The first moment that counts"),
    Parameter("endDate", _moment, {"type": "string", "format": "date-time"}, "The first one that does not"),
    parameters.EXPAND,
)


_USAGE: Final = Shape(
    "MetricUsage",
    (
        Field("consumedUnits", DecimalNumber()),
        Field("metricDescription", LOCALIZED),
        Field("metricId", Long(1)),
        Field("metricName", LOCALIZED),
    ),
)
_USAGES: Final = shapes.Schema(
    lambda: {
        "title": "MetricUsageListResponse",
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": _USAGE.schema()},
            "hasMore": {"type": "boolean"},
            "limit": {"type": "integer", "format": "int32"},
        },
    }
)


def _consumption(engine: Engine, consumption: Consumption) -> Route:
    def list_consumed_resources(request: Request) -> Answer:
        asked = parameters.read(request.raw_query, _PERIOD)
        for name in ("startDate", "endDate"):
            if asked[name] is None:
                raise BadParameters.at(name, "is required")
        found = consumption.between(engine.context(request), asked["startDate"], asked["endDate"])
        return Answer(200, {"data": found, "hasMore": False, "limit": len(found)})

    return route(
        "GET", "/spaces/consumed-resources", list_consumed_resources, "What was consumed in a space",
        permission="consumedResource.read", tag="ConsumedResources", query=_PERIOD, answer=_USAGES,
        description=f"Objects that were created in the period, of the kinds that the user may read; {MOST_COUNTED} at "
        "most of each.",
    )  # fmt: skip


# ---------------------------------------------------------------------- boarding


_ANSWERS: Final = MapOf(AnyValue(), most=100)


def _boarding(engine: Engine, boarding: Boarding) -> tuple[Route, ...]:
    def keep(request: Request, title: str, name: str) -> dict[str, Any]:
        shape = Shape(title, (Field("answers", _ANSWERS),), ("answers",))
        given: dict[str, Any] = read_body(shape, {"answers": request.json()})["answers"]
        boarding.keep(engine.context(request), name, given)
        return given

    def keep_boarding_information(request: Request) -> Answer:
        return Answer(
            201, documents.encode(keep(request, "BoardingStrategyInformationRequest", "information")).encode()
        )

    def keep_boarding_plan(request: Request) -> Answer:
        keep(request, "StoreTrialSubscriptionRequestSetter", "plan")
        return Answer(204)

    tag, path = "BoardingSubscriptionStrategy", "/boarding/subscription-strategy"
    return (
        route(
            "POST", f"{path}/information", keep_boarding_information, "Say something of an account at boarding",
            permission="boarding.manage", scope=ACCOUNT, tag=tag, status=201, body=_free("BoardingStrategyInformation"),
            answer=_free("BoardingStrategyInformation"), description="Kept as it is; what was said last stands.",
        ),
        route(
            "POST", f"{path}/plans", keep_boarding_plan, "Choose a plan at boarding", permission="boarding.manage",
            scope=ACCOUNT, tag=tag, status=204, body=_free("StoreTrialSubscriptionRequestSetter"),
        ),
    )  # fmt: skip


def _free(title: str) -> dict[str, Any]:
    return {"title": title, "type": "object", "additionalProperties": True, "maxProperties": 100}


# ---------------------------------------------------------------------- themes


def _themes(engine: Engine, themes: Themes) -> tuple[Route, ...]:
    def put_theme(request: Request) -> Answer:
        given, logo = _form(request)
        return engine.reply(
            request, themes.put(engine.context(request), read_body(THEME_BODY, given), logo), status=201
        )

    def remove(request: Request) -> Answer:
        themes.remove(engine.context(request), object_id(request, "accountId"))
        return Answer(204)

    def remove_logo(request: Request) -> Answer:
        themes.remove_logo(engine.context(request), object_id(request, "accountId"))
        return Answer(204)

    def deletion(path: str, endpoint: Endpoint, summary: str) -> Route:
        return route(
            "DELETE", path, endpoint, summary, permission="uiTheme.update", scope=ACCOUNT, tag=ACCOUNT_THEME.tag,
            status=204,
        )  # fmt: skip

    return (
        route(
            "POST", "/account/ui-themes/create", put_theme, "Make an account's theme, or replace it",
            permission="uiTheme.update", scope=ACCOUNT, tag=ACCOUNT_THEME.tag, status=201, body=_form_schema(),
            body_media_type=_FORM, answer=shapes.answer(ACCOUNT_THEME),
            description="Parts: name, primaryColor, secondaryColor, backgroundColor (`#rrggbb`), and logo, a PNG or "
            "JPEG picture.",
        ),
        deletion("/account/ui-themes/{accountId}", remove, "Remove an account's theme"),
        deletion("/account/ui-themes/{accountId}/logo", remove_logo, "Remove the logo of an account's theme"),
    )  # fmt: skip


def _form_schema() -> dict[str, Any]:
    schema = THEME_BODY.request_schema()
    return {**schema, "properties": {**schema["properties"], "logo": {"type": "string", "format": "binary"}}}


def _form(request: Request) -> tuple[dict[str, str], bytes | None]:
    """The parts of a form: texts by name, and the logo.

    Raises:
        Malformed: the body is no form.
    """
    from email.message import EmailMessage
    from email.parser import BytesParser
    from email.policy import HTTP

    head = f"content-type: {request.header('content-type')}\r\n\r\n".encode("ascii", "replace")
    form = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + request.raw_body())
    if not form.is_multipart() or form.defects:
        raise Malformed("The body is no form of several parts")
    given: dict[str, str] = {}
    logo: bytes | None = None
    for part in form.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            raise Malformed("A part of the form has no name")
        if name == "logo":
            logo = content
        else:
            given[name] = content.decode("utf-8", "replace")
    return given, logo


# ---------------------------------------------------------------------- partnerships


def _partnerships(engine: Engine) -> tuple[Route, ...]:
    simple = engine.service(PARTNERSHIP, PartnershipHooks("SIMPLE"))
    usual = engine.routes_of(simple, without=frozenset({"create"}))
    return (
        *(
            _new_partnership(engine, engine.service(PARTNERSHIP, PartnershipHooks(kind)), kind, status)
            for kind, status in (("AFFILIATE", 200), ("ISV", 201), ("SIMPLE", 201))
        ),
        *usual,
    )


def _new_partnership(engine: Engine, service: ResourceService, kind: str, status: int) -> Route:
    def endpoint(request: Request) -> Answer:
        context, tree = engine.context(request), engine.expand(request, PARTNERSHIP)
        made = service.create(context, request.json())
        return engine.reply(request, made.entity, tree, status, replayed=made.replayed)

    return route(
        "POST", f"/join-program/partnerships/create-{kind.lower()}", endpoint, f"Begin a partnership ({kind})",
        permission="partnership.create", scope=ACCOUNT, tag=PARTNERSHIP.tag, query=parameters.READ, status=status,
        body=shapes.body(service.creating), answer=shapes.answer(PARTNERSHIP),
    )  # fmt: skip
