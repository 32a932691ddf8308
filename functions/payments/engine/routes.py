"""HTTP on the engine: from a declaration to its routes, and what operations of groups share with them.

`Engine` is made once per function. `engine.routes_of(service)` gives list, search, read, create, update, delete and
bulk as far as the resource has them; a group's own operations are Routes whose endpoints use `context`, `object_id`,
`expand`, `reply` of the same engine. An endpoint looks up (404) before it reads parameters (400) and body.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from payments.engine import bulk, documents, expansion, parameters, shapes
from payments.engine.declarations import Resource
from payments.engine.errors import BadParameters, ObjectNotFound
from payments.engine.expansion import Expander, Tree
from payments.engine.models import Context, Entity, Page, Place
from payments.engine.repository import Objects
from payments.engine.service import Hooks, ResourceService
from tollgate.dialects.payments import ACCOUNT, BASE, SIGNED, SPACE, caller_of
from tollgate.http.message import Answer, Request
from tollgate.http.route import Endpoint, Route

MOST_ANSWER_BYTES: Final = 5_500_000
REPLAYED: Final = {"x-replayed": "true"}
_ID: Final = re.compile(r"[1-9][0-9]{0,15}")
_READ_FAILURES: Final = (400, 401, 403, 404, 406, 415, 422, 429)
_WRITE_FAILURES: Final = (400, 401, 403, 404, 406, 409, 413, 415, 422, 429)
_SCOPES: Final = {"space": SPACE, "account": ACCOUNT, "tenant": "", "global": ""}


class Engine:
    """The engine of one function: its table, and the doors over it."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects

    def service(self, resource: Resource, hooks: Hooks | None = None) -> ResourceService:
        """The use cases of a resource, with what the group does beyond them."""
        return ResourceService(resource, self.objects, hooks)

    # ------------------------------------------------------------------ for endpoints

    def context(self, request: Request) -> Context:
        """Who asks, and for whom."""
        return context_of(request)

    def expand(self, request: Request, resource: Resource) -> Tree:
        """The request's `expand` for a resource.

        Raises:
            BadParameters: it names what cannot be expanded.
        """
        asked = parameters.read(request.raw_query, parameters.READ)
        return expansion.parse(asked["expand"], resource)

    def reply(
        self, request: Request, entity: Entity, tree: Tree = expansion.NOTHING, status: int = 200, *,
        replayed: bool = False,
    ) -> Answer:  # fmt: skip
        """One object as the answer."""
        body = Expander(self.objects, self.context(request)).answer(entity, tree)
        return Answer(status, _encoded(body), REPLAYED if replayed else {})

    def replies(self, request: Request, entities: Sequence[Entity], tree: Tree = expansion.NOTHING) -> Answer:
        """Several objects as the answer, as a bare list."""
        return Answer(200, _encoded(Expander(self.objects, self.context(request)).answers(entities, tree)))

    def page(self, request: Request, page: Page, tree: Tree, asked: Mapping[str, Any]) -> Answer:
        """A page as the answer, in the envelope of lists or of searches."""
        body = {
            "data": Expander(self.objects, self.context(request)).answers(page.entities, tree),
            "hasMore": page.has_more,
            "limit": asked["limit"],
        }
        if "offset" in asked:
            body["offset"] = asked["offset"]
        return Answer(200, _encoded(body))

    # ------------------------------------------------------------------ routes

    def routes_of(self, service: ResourceService, *, without: frozenset[str] = frozenset()) -> tuple[Route, ...]:
        """The routes that the resource's declaration gives. `without` names operations to leave out: list, search,
        read, create, update, delete, bulk."""
        return tuple(_Routes(self, service).all(without))


def context_of(request: Request) -> Context:
    """Who asks, and for whom, from an authenticated request."""
    caller = caller_of(request)
    space = caller.directory.space(caller.space) if caller.directory and caller.space else None
    account = caller.directory.account(caller.account) if caller.directory else None
    path = space.path if space else account.path if account else ()

    def can(permission: str) -> bool:
        return not permission or caller.may(permission, path, caller.space)

    return Context(Place(caller.account, caller.space, caller.root), caller.user_id, caller.account_id, can, BASE)


def object_id(request: Request, name: str = "id") -> int:
    """The id in the path.

    Raises:
        ObjectNotFound: it is none that an object could have.
    """
    text = request.parameters.get(name, "")
    if not _ID.fullmatch(text):
        raise ObjectNotFound
    return int(text)


def operation_name(method: str, path: str) -> str:
    """The operation's name in generated clients: `post_customers_id_merge_other`."""
    words = re.sub(r"[{}]", "", path.removeprefix(BASE)).strip("/")
    return f"{method.lower()}_{re.sub(r'[/-]', '_', words)}"


def route(
    method: str,
    path: str,
    endpoint: Endpoint,
    summary: str,
    *,
    permission: str,
    scope: str = SPACE,
    tag: str = "",
    **further: Any,
) -> Route:
    """A route of the family: `path` is below the base. `further` are the other members of `Route`."""
    failures = _READ_FAILURES if method in ("GET", "DELETE") else _WRITE_FAILURES
    return Route(
        method, BASE + path, endpoint, summary, SIGNED, permission=permission, scope=scope, tag=tag,
        operation=operation_name(method, path), failures=further.pop("failures", failures), **further,
    )  # fmt: skip


class _Routes:
    """The routes of one resource."""

    def __init__(self, engine: Engine, service: ResourceService) -> None:
        self._engine = engine
        self._service = service
        self._resource = service.resource

    def all(self, without: frozenset[str]) -> list[Route]:
        resource = self._resource
        title = re.sub(r"(?<!^)(?=[A-Z])", " ", resource.name).lower()
        makers: list[tuple[str, bool, Callable[[str], list[Route]]]] = [
            ("list", resource.listable, self._list),
            ("search", resource.searchable, self._search),
            ("create", resource.create is not None, self._create),
            ("bulk", resource.bulk, self._bulk),
            ("read", True, self._read),
            ("update", resource.update is not None, self._update),
            ("delete", resource.delete is not None, self._delete),
        ]
        return [made for name, has, make in makers if has and name not in without for made in make(title)]

    def _route(self, method: str, path: str, endpoint: Endpoint, summary: str, verb: Any, **further: Any) -> Route:
        resource = self._resource
        return route(
            method, resource.path + path, endpoint, summary, permission=resource.permission_to(verb),
            scope=_SCOPES[resource.scope], tag=resource.tag or resource.name, **further,
        )  # fmt: skip

    def _list(self, title: str) -> list[Route]:
        def endpoint(request: Request) -> Answer:
            context, parent = self._beginning(request)
            asked = parameters.read(request.raw_query, parameters.LIST)
            tree = expansion.parse(asked["expand"], self._resource)
            return self._engine.page(request, self._service.page(context, asked, parent), tree, asked)

        answer = shapes.listed(self._resource)
        return [self._route("GET", "", endpoint, f"List all {title}s", "read", query=parameters.LIST, answer=answer)]

    def _search(self, title: str) -> list[Route]:
        def endpoint(request: Request) -> Answer:
            context, parent = self._beginning(request)
            asked = parameters.read(request.raw_query, parameters.SEARCH)
            tree = expansion.parse(asked["expand"], self._resource)
            return self._engine.page(request, self._service.search(context, asked, parent), tree, asked)

        return [
            self._route(
                "GET", "/search", endpoint, f"Search {title}s", "read", query=parameters.SEARCH,
                answer=shapes.searched(self._resource), failures=(*_READ_FAILURES, 416),
            )
        ]  # fmt: skip

    def _create(self, title: str) -> list[Route]:
        def endpoint(request: Request) -> Answer:
            context, parent = self._beginning(request)
            tree = self._engine.expand(request, self._resource)
            made = self._service.create(context, request.json(), parent)
            return self._engine.reply(request, made.entity, tree, 201, replayed=made.replayed)

        return [
            self._route(
                "POST", "", endpoint, f"Create a {title}", "create", query=parameters.READ, status=201,
                body=shapes.body(self._service.creating), answer=shapes.answer(self._resource),
            )
        ]  # fmt: skip

    def _read(self, title: str) -> list[Route]:
        def endpoint(request: Request) -> Answer:
            context, parent = self._beginning(request)
            entity = self._service.read(context, object_id(request), parent)
            return self._engine.reply(request, entity, self._engine.expand(request, self._resource))

        return [
            self._route(
                "GET", "/{id}", endpoint, f"Retrieve a {title}", "read", query=parameters.READ,
                answer=shapes.answer(self._resource),
            )
        ]  # fmt: skip

    def _update(self, title: str) -> list[Route]:
        def endpoint(request: Request) -> Answer:
            context, parent = self._beginning(request)
            before = self._service.read(context, object_id(request), parent)
            tree = self._engine.expand(request, self._resource)
            after = self._service.update(context, before, request.json(), parent)
            return self._engine.reply(request, after, tree)

        return [
            self._route(
                "PATCH", "/{id}", endpoint, f"Update a {title}", "update", query=parameters.READ,
                body=shapes.body(self._service.updating), answer=shapes.answer(self._resource),
                description="Takes the present version; members that are not given stay. POST means the same.",
            )
        ]  # fmt: skip

    def _delete(self, title: str) -> list[Route]:
        def endpoint(request: Request) -> Answer:
            context, parent = self._beginning(request)
            self._service.delete(context, object_id(request), parent)
            return Answer(204)

        final = " This cannot be undone." if self._resource.delete == "hard" else " It stays readable as deleted."
        return [
            self._route(
                "DELETE", "/{id}", endpoint, f"Delete a {title}", "delete", status=204,
                description=f"Deletes the {title}.{final}",
            )
        ]  # fmt: skip

    def _bulk(self, title: str) -> list[Route]:
        service = self._service
        kinds: list[tuple[str, str, Any, Any]] = [
            ("POST", "create", bulk.create, shapes.body(service.creating)),
            ("PATCH", "update", bulk.update, shapes.body(service.updating)),
            ("DELETE", "delete", bulk.delete, {"type": "integer", "format": "int64"}),
        ]
        made = []
        for method, verb, act, element in kinds:

            def endpoint(request: Request, act: Any = act) -> Answer:
                context, _ = self._beginning(request)
                return Answer(200, _encoded(bulk.carried_out(request.json(), lambda each: act(service, context, each))))

            made.append(
                self._route(
                    method, "/bulk", endpoint, f"{verb.capitalize()} {title}s in bulk", verb,
                    body=shapes.bulk(element), answer=shapes.bulk(shapes.Schema(lambda: dict(shapes.BULK_RESULT))),
                    failures=_WRITE_FAILURES, description="Each operation stands for itself; at most 100.",
                )
            )  # fmt: skip
        return made

    def _beginning(self, request: Request) -> tuple[Context, Entity | None]:
        """Who asks, and the object of the path that the resource lies below.

        Raises:
            ObjectNotFound: there is no such object.
        """
        context = self._engine.context(request)
        parent = self._resource.parent
        if parent is None:
            return context, None
        return context, self._service.parent_of(context, {parent.parameter: object_id(request, parent.parameter)})


def _encoded(body: Any) -> bytes:
    text = documents.encode(body).encode("utf-8", "replace")
    if len(text) > MOST_ANSWER_BYTES:
        raise BadParameters.at(
            "expand", f"The answer would have more than {MOST_ANSWER_BYTES} bytes: expand less, or lower the limit",
            code="answer_too_large",
        )  # fmt: skip
    return text
