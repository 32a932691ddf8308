"""The HTTP door of the delivery log: routes and composition, nothing else. The reference has no such routes; these are
extensions in its style."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from control.notifications.models import (
    MOST_REPLAYED,
    REPLAY,
    STATUSES,
    EndpointView,
    NotificationDetail,
    NotificationPage,
    NotificationView,
    ReplayAnswer,
)
from control.notifications.public import LogSettings, delivery_log_of
from control.notifications.service.log import Filter
from tollgate import config
from tollgate.auth.identity import Identity
from tollgate.dialects.vault import API_KEY_OR_BEARER, LIMIT, PAGE, VAULT, Authenticator, envelope
from tollgate.errors import Fault, Invalid
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter, comma_list, first_moment, last_moment, ordered, plain_text, read
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.listing import Page, Selection

DOCUMENT = "vault"

_settings = config.load(LogSettings)
_log = delivery_log_of(_settings)

_EVENT_TYPES = re.compile(r"[a-z0-9_.-]{1,64}(?:,[a-z0-9_.-]{1,64}){0,19}")
_LONGEST_SUBJECT = 64
_DONE = frozenset(STATUSES) - {"pending"}
_HIGHEST_PAGE = 999_999_999


def _event_types(text: str) -> frozenset[str]:
    if not _EVENT_TYPES.fullmatch(text):
        raise ValueError("must be a comma-separated list of at most 20 event types")
    return frozenset(text.split(","))


_DAY = {"type": "string", "description": "A date (YYYY-MM-DD) or an RFC 3339 date-time"}
_LIST_QUERY = (
    LIMIT,
    PAGE,
    Parameter("from", first_moment, _DAY, "Only notifications queued from this date, inclusive"),
    Parameter("to", last_moment, _DAY, "Only notifications queued up to this date, inclusive"),
    Parameter(
        "status", comma_list({each: each for each in STATUSES}, "notification statuses"),
        {"type": "array", "items": {"type": "string", "enum": list(STATUSES)}},
        "Requested statuses in list format", extra={"style": "form", "explode": False},
    ),
    Parameter(
        "event_type", _event_types, {"type": "array", "items": {"type": "string"}, "examples": [["token.created"]]},
        "Requested event types in list format", extra={"style": "form", "explode": False},
    ),
    Parameter(
        "subject", plain_text(_LONGEST_SUBJECT), {"type": "string", "minLength": 1, "maxLength": _LONGEST_SUBJECT},
        "Only notifications of this object, by its id (of a token, say)",
    ),
)  # fmt: skip


def list_notifications(request: Request) -> Answer:
    """A page of the delivery log, newest first."""
    asked = read(request.raw_query, _LIST_QUERY)
    ordered(asked, "from", "to")
    selection = Selection(asked["limit"], asked["page"], created_from=asked["from"], created_to=asked["to"])
    chosen = Filter(asked["status"], asked["event_type"], asked["subject"])
    rows, total = _log.page(request.account_id, selection, chosen)
    return Answer(200, envelope(rows, Page([], total), selection))


def read_notification(request: Request) -> Answer:
    """One notification with its attempts."""
    return Answer(200, _log.read(request.account_id, request.parameters["id"]))


def resend_notification(request: Request) -> Answer:
    """Send a notification again, with the same id and body."""
    return Answer(200, _log.resend(request.account_id, request.parameters["id"]))


def replay_notifications(request: Request) -> Answer:
    """Send the notifications of a time range again."""
    selection, statuses = _replay(request.json())
    resent, skipped, total = _log.replay(request.account_id, selection, statuses)
    pagination = envelope([], Page([], total), selection)["pagination"]
    return Answer(200, {"resent": resent, "skipped": skipped, "pagination": pagination})


def read_notification_endpoint(request: Request) -> Answer:
    """Where notifications go, and how that is going."""
    return Answer(200, _log.endpoint(request.account_id))


def enable_notification_endpoint(request: Request) -> Answer:
    """Take a disabled endpoint back into service."""
    return Answer(200, _log.enable(request.account_id))


def _replay(body: Any) -> tuple[Selection, frozenset[str] | None]:
    """The range of a replay, every fault at once."""
    if not isinstance(body, Mapping):
        raise Invalid.at("$", "must be an object")
    faults: list[Fault] = []
    low = _member(body, "from", first_moment, faults)
    high = _member(body, "to", last_moment, faults)
    page, statuses = body.get("page"), body.get("status")
    if page is not None and (isinstance(page, bool) or not isinstance(page, int) or not 1 <= page <= _HIGHEST_PAGE):
        faults.append(Fault("$.page", f"must be a whole number from 1 to {_HIGHEST_PAGE}"))
    if statuses is not None and not _are_statuses(statuses):
        faults.append(Fault("$.status", f"must be a list of {', '.join(sorted(_DONE))}"))
    if not faults and low > high:
        faults.append(Fault("$.from", "must not be after to"))
    if faults:
        raise Invalid(faults)
    selection = Selection(MOST_REPLAYED, page or 1, descending=False, created_from=low, created_to=high)
    return selection, frozenset(statuses) if statuses is not None else None


def _member(body: Mapping[str, Any], name: str, reader: Callable[[str], Any], faults: list[Fault]) -> Any:
    value = body.get(name)
    try:
        if isinstance(value, str):
            return reader(value)
        faults.append(Fault(f"$.{name}", "is required" if value is None else "must be a string"))
    except ValueError as error:
        faults.append(Fault(f"$.{name}", str(error)))
    return None


def _are_statuses(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) and each in _DONE for each in value)


ROUTES = (
    Route(
        "GET", "/notifications", list_notifications, "Get notifications", API_KEY_OR_BEARER, query=_LIST_QUERY,
        answer=NotificationPage, failures=(401, 403, 422), tag="Notifications",
        description="The delivery log: what happened, in which order, and how telling you about it goes. Kept 30 days.",
    ),
    Route(
        "POST", "/notifications/replay", replay_notifications, "Replay notifications", API_KEY_OR_BEARER, body=REPLAY,
        answer=ReplayAnswer, failures=(401, 403, 409, 413, 415, 422), tag="Notifications",
        description=f"Sends up to {MOST_REPLAYED} notifications of a time range again, oldest first, each with its own "
        "id, body and sequence. `pagination` says how many the range has; ask for the following pages one by one.",
    ),
    Route(
        "GET", "/notifications/{id}", read_notification, "Get notification details", API_KEY_OR_BEARER,
        answer=NotificationDetail, failures=(401, 403, 404, 422), tag="Notifications",
    ),
    Route(
        "POST", "/notifications/{id}/resend", resend_notification, "Resend a notification", API_KEY_OR_BEARER,
        answer=NotificationView, failures=(401, 403, 404, 409, 422), tag="Notifications",
        description="Same id, body and sequence. One that is still being tried is tried now.",
    ),
    Route(
        "GET", "/notification-endpoint", read_notification_endpoint, "Get the notification endpoint",
        API_KEY_OR_BEARER, answer=EndpointView, failures=(401, 403, 422), tag="Notifications",
    ),
    Route(
        "POST", "/notification-endpoint/enable", enable_notification_endpoint, "Enable the notification endpoint",
        API_KEY_OR_BEARER, answer=EndpointView, failures=(401, 403, 409, 422), tag="Notifications",
        description="An endpoint that failed for three days is disabled; what happens meanwhile is kept and sent then.",
    ),
)  # fmt: skip


handler = App(
    VAULT,
    ROUTES,
    authenticate=Authenticator(Identity.of(_settings)),
    journal=Journal("notifications", _settings.log_level),
)
