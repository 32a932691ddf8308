"""Comments that people leave on an object: who wrote and changed them, and which are pinned to the top.

For groups whose objects have comments; `routes` gives all their operations, the usual ones and the two of pins.
"""

from __future__ import annotations

from typing import Final

from payments.engine.declarations import Resource
from payments.engine.errors import VersionConflict
from payments.engine.fields import now
from payments.engine.routes import Engine, object_id, route
from payments.engine.service import ATTEMPTS, Change, Hooks, ResourceService
from tollgate.errors import Contended
from tollgate.http.message import Answer, Request
from tollgate.http.route import Endpoint, Route

_WORDS: Final = {True: ("pin", "Pin a comment to the top"), False: ("unpin", "Take a comment off the top")}


class CommentHooks(Hooks):
    """Who wrote a comment, and who changed it when."""

    def creating(self, change: Change) -> None:
        change.values.update(createdBy=change.context.user_id, pinned=False)

    def updating(self, change: Change) -> None:
        change.values.update(editedBy=change.context.user_id, editedOn=now())


def routes(engine: Engine, resource: Resource) -> tuple[Route, ...]:
    """All operations of comments that lie below another object."""
    service = engine.service(resource, CommentHooks())
    pins = (
        route(
            "POST", f"{resource.path}/{{id}}/{_WORDS[pinned][0]}", _pinning(engine, service, pinned=pinned),
            _WORDS[pinned][1], permission=resource.permission_to("update"), tag=resource.tag, status=204,
        )
        for pinned in (True, False)
    )  # fmt: skip
    return (*engine.routes_of(service), *pins)


def _pinning(engine: Engine, service: ResourceService, *, pinned: bool) -> Endpoint:
    parent = service.resource.parent
    assert parent is not None  # noqa: S101 -- a comment is on something

    def endpoint(request: Request) -> Answer:
        context = engine.context(request)
        above = service.parent_of(context, {parent.parameter: object_id(request, parent.parameter)})
        for _ in range(ATTEMPTS):
            comment = service.read(context, object_id(request), above)
            if bool(comment.values.get("pinned")) == pinned:
                return Answer(204)
            change = service.change_of(context, comment, parent=above)
            change.values["pinned"] = pinned
            try:
                service.commit(change)
            except VersionConflict:
                continue
            return Answer(204)
        raise Contended

    return endpoint
