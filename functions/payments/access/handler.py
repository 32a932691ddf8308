"""The HTTP door of accounts, spaces, users, roles and permissions, and the family's 404 for what nobody else has."""

from __future__ import annotations

from typing import Any, Final

from payments.access.repository.directory import DirectoryRepository
from payments.access.service.accounts import INACTIVE, AccountHooks, AccountService, SpaceHooks
from payments.access.service.export import COLUMNS, DEFAULT_ROWS, MOST_OFFSET, MOST_ROWS, exported
from payments.access.service.roles import AssignmentService, RoleHooks
from payments.access.service.users import KeyService, UserHooks
from payments.access.service.visibility import AccessContext, OwnedService
from payments.back_office import public as back_office
from payments.debt_collection import public as debt_collection
from payments.engine import documents, parameters, shapes
from payments.engine.declarations import ID, VERSION, Resource
from payments.engine.errors import BadParameters
from payments.engine.expansion import Expander
from payments.engine.fields import Field, Flag, Long, Moment, OneOf, Shape, Text
from payments.engine.models import Context
from payments.engine.repository import Objects
from payments.engine.routes import Engine, context_of, object_id, route
from payments.reference_data import public as reference_data
from payments.resources.access import (
    ACCOUNT,
    APPLICATION_USER,
    HUMAN_USER,
    PERMISSION,
    ROLE,
    SINGLE_SIGN_ON_USER,
    SPACE,
)
from payments.web_apps import public as web_apps
from tollgate import aws, config
from tollgate.auth.directory import ACTIVE
from tollgate.config import PaymentsSettings
from tollgate.dialects.payments import ACCOUNT as BY_ACCOUNT
from tollgate.dialects.payments import PAYMENTS, Authenticator, accepts, caller_of, keyring_of
from tollgate.dialects.payments import SPACE as BY_SPACE
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter, whole_number
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.table import Table

NO_SCOPE: Final = ""


class AccessEngine(Engine):
    """The engine with contexts that know their caller."""

    def context(self, request: Request) -> AccessContext:
        made = context_of(request)
        return AccessContext(made.place, made.user_id, made.tenant, made.can, made.base, caller_of(request))


_settings = config.load(PaymentsSettings)
_table = Table(_settings.payments_table, aws.dynamodb())
_engine = AccessEngine(Objects(_table))
_repository = DirectoryRepository(_table)
_keyring = keyring_of(_settings)
_user_hooks = UserHooks(_repository, _keyring)
_keys = KeyService(_repository, _keyring)
_assignments = AssignmentService(_repository)
_accounts = AccountService(ACCOUNT, _engine.objects, AccountHooks(_repository))
_spaces = OwnedService(SPACE, _engine.objects, SpaceHooks(_repository))
_roles = OwnedService(ROLE, _engine.objects, RoleHooks(_repository))
_application_users = OwnedService(APPLICATION_USER, _engine.objects, _user_hooks)
_human_users = OwnedService(HUMAN_USER, _engine.objects, _user_hooks)
_single_sign_on_users = OwnedService(SINGLE_SIGN_ON_USER, _engine.objects, _user_hooks)
_permissions = _engine.service(PERMISSION)

# ---------------------------------------------------------------------- accounts


def activate_account(request: Request) -> Answer:
    """Open an account again, and with it the spaces below it."""
    _accounts.switch(_engine.context(request), object_id(request), ACTIVE, _repository)
    return Answer(204)


def deactivate_account(request: Request) -> Answer:
    """Close an account, and with it the spaces below it; nothing is lost."""
    _accounts.switch(_engine.context(request), object_id(request), INACTIVE, _repository)
    return Answer(204)


# ---------------------------------------------------------------------- application users and their keys

KEY_STATES: Final = OneOf.of("GENERATED ACTIVE INACTIVE")
KEY: Final = Shape("RestApplicationUserMacKey", (ID, Field("creationTime", Moment()), Field("state", KEY_STATES)))
NEW_KEY: Final = Shape(
    "RestApplicationUserMacKeyCreated",
    (*KEY.fields, Field("key", Text(44), description="Base64 of 32 bytes; shown this once")),
)
NEW_USER: Final = Shape(
    "ApplicationUserCreateWithMacKey",
    (*APPLICATION_USER.fields, Field("macKey", Text(44), description="Base64 of 32 bytes; shown this once")),
)


def create_application_user(request: Request) -> Answer:
    """A user that may do nothing until it is given a role, and its first key."""
    context = _engine.context(request)
    tree = _engine.expand(request, APPLICATION_USER)
    made = _application_users.create(context, request.json()).entity
    body = Expander(_engine.objects, context).answer(made, tree)
    return Answer(201, documents.encode({**body, "macKey": context.revealed[made.id]}).encode())


def list_keys(request: Request) -> Answer:
    """The keys that are kept of a user, without what is secret of them."""
    context, user = _owned_user(request, "userId")
    return Answer(200, _keys.list(context, user))


def create_key(request: Request) -> Answer:
    """A further key; those before it go on working."""
    context, user = _owned_user(request, "userId", "manageKeys")
    return Answer(201, _keys.add(context, user))


def delete_key(request: Request) -> Answer:
    """End a key."""
    context, user = _owned_user(request, "userId", "manageKeys")
    _keys.deactivate(context, user, object_id(request))
    return Answer(204)


def _owned_user(request: Request, name: str, verb: str = "read") -> tuple[Context, int]:
    context = _engine.context(request)
    return context, _application_users.require_visible(context, object_id(request, name), verb).id


# ---------------------------------------------------------------------- roles of users

ACCOUNT_ROLE: Final = Shape(
    "UserAccountRole",
    (
        ID,
        VERSION,
        Field("account", Long(1)),
        Field("appliesOnSubAccount", Flag()),
        Field("role", Long(1)),
        Field("user", Long(1)),
    ),
)
SPACE_ROLE: Final = Shape(
    "UserSpaceRole",
    (ID, VERSION, Field("role", Long(1)), Field("space", Long(1)), Field("user", Long(1))),
)


def _flag(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text == "true"


def _id(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:20]) < 10**16:
        raise ValueError("must be the id of a role")
    return int(text)


ROLE_ID: Final = Parameter(
    "roleId", _id, {"type": "integer", "format": "int64", "minimum": 1},
    "The role to give or to take away", extra={"required": True},
)  # fmt: skip
BELOW: Final = Parameter(
    "appliesOnSubAccount",
    _flag,
    {"type": "boolean", "default": False},
    "Whether it counts in accounts below too",
    False,
)


def _role_routes(kind: str, path: str, tag: str, *, in_space: bool) -> tuple[Route, ...]:
    """The three operations on the roles of one kind of user, in an account or in a space."""
    base = f"{path}/{{userId}}/{'space' if in_space else 'account'}-roles"
    where = "space" if in_space else "account"
    scope = BY_SPACE if in_space else BY_ACCOUNT
    shape = SPACE_ROLE if in_space else ACCOUNT_ROLE
    asked = (ROLE_ID,) if in_space else (ROLE_ID, BELOW)

    def list_roles(request: Request) -> Answer:
        return Answer(200, _assignments.list(_engine.context(request), kind, object_id(request, "userId"), in_space))

    def assign_role(request: Request) -> Answer:
        context, user, given = _asked(request, kind, asked)
        below = bool(given.get("appliesOnSubAccount"))
        return Answer(200, _assignments.assign(context, kind, user, given["roleId"], in_space=in_space, below=below))

    def unassign_role(request: Request) -> Answer:
        context, user, given = _asked(request, kind, (ROLE_ID,))
        _assignments.unassign(context, kind, user, given["roleId"], in_space=in_space)
        return Answer(204)

    own: dict[str, Any] = {"scope": scope, "tag": tag}
    answer = shapes.shaped(shape)
    return (
        route("GET", base, list_roles, f"List the roles of a user in a {where}", permission=f"{kind}.read",
              answer=_listed(shape), **own),
        route("POST", base, assign_role, f"Give a user a role in a {where}", permission=f"{kind}.assignRoles",
              query=asked, answer=answer, **own),
        route("DELETE", base, unassign_role, f"Take a role in a {where} from a user", permission=f"{kind}.assignRoles",
              query=(ROLE_ID,), status=204, **own),
    )  # fmt: skip


def _listed(shape: Shape) -> shapes.Schema:
    page = {"hasMore": {"type": "boolean"}, "limit": {"type": "integer", "format": "int32"}}
    return shapes.Schema(
        lambda: {
            "title": f"{shape.name}ListResponse",
            "type": "object",
            "properties": {"data": {"type": "array", "items": shape.schema()}, **page},
        }
    )


def _asked(request: Request, kind: str, asked: tuple[Parameter, ...]) -> tuple[Context, int, dict[str, Any]]:
    """The user of the path, which has to be there, and the parameters."""
    context, user = _engine.context(request), object_id(request, "userId")
    _assignments.require_user(context, kind, user)
    given = parameters.read(request.raw_query, asked)
    if given["roleId"] is None:
        raise BadParameters.at("roleId", "is required")
    return context, user, given


# ---------------------------------------------------------------------- human users as a file

EXPORT: Final = (
    Parameter(
        "fields", str, {"type": "array", "items": {"type": "string", "enum": list(COLUMNS)}},
        "The columns; all without it", (), {"style": "form", "explode": False},
    ),
    Parameter(
        "limit", whole_number(1, MOST_ROWS),
        {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": DEFAULT_ROWS},
        "The most lines to return", DEFAULT_ROWS,
    ),
    Parameter(
        "offset", whole_number(0, 999_999_999), {"type": "integer", "minimum": 0, "maximum": MOST_OFFSET, "default": 0},
        "How many users to leave out at the beginning", 0,
    ),
    Parameter("order", str, {"type": "string"}, "Fields separated by spaces, each with :ASC or :DESC", ""),
    Parameter("query", str, {"type": "string"}, "The search", ""),
)  # fmt: skip


def export_human_users(request: Request) -> Answer:
    """The users that a search finds, as CSV; as a JSON text for a client that takes nothing else."""
    asked = parameters.read(request.raw_query, EXPORT, MOST_OFFSET)
    text = exported(_human_users, _engine.context(request), asked)
    if accepts(request, "text/csv"):
        return Answer(200, text, {"content-disposition": 'attachment; filename="human-users.csv"'}, "text/csv")
    return Answer(200, text.decode())


def _user_roles(resource: Resource) -> tuple[Route, ...]:
    tag = f"Roles of {resource.tag.lower()}"
    return tuple(
        each
        for in_space in (False, True)
        for each in _role_routes(resource.kind, resource.path, tag, in_space=in_space)
    )


_KEYS_PATH: Final = "/application-users/{userId}/keys"

ROUTES: tuple[Route, ...] = (
    *_engine.routes_of(_accounts),
    route("POST", "/accounts/{id}/activate", activate_account, "Activate an account", permission="account.activate",
          scope=NO_SCOPE, tag="Accounts", status=204),
    route("POST", "/accounts/{id}/deactivate", deactivate_account, "Deactivate an account",
          permission="account.activate", scope=NO_SCOPE, tag="Accounts", status=204),
    *_engine.routes_of(_spaces),
    *_engine.routes_of(_application_users, without=frozenset({"create"})),
    route("POST", "/application-users", create_application_user, "Create an application user",
          permission="applicationUser.create", scope=NO_SCOPE, tag="Application users", query=parameters.READ,
          status=201, body=shapes.body(APPLICATION_USER.create) if APPLICATION_USER.create else None,
          answer=shapes.shaped(NEW_USER)),
    route("GET", _KEYS_PATH, list_keys, "List the keys of an application user", permission="applicationUser.read",
          scope=NO_SCOPE, tag="Application users", answer=shapes.bulk(shapes.shaped(KEY))),
    route("POST", _KEYS_PATH, create_key, "Create a further key", permission="applicationUser.manageKeys",
          scope=NO_SCOPE, tag="Application users", status=201, answer=shapes.shaped(NEW_KEY)),
    route("DELETE", f"{_KEYS_PATH}/{{id}}", delete_key, "Deactivate a key", permission="applicationUser.manageKeys",
          scope=NO_SCOPE, tag="Application users", status=204),
    route("GET", "/human-users/export", export_human_users, "Export human users as CSV", permission="humanUser.export",
          scope=NO_SCOPE, tag="Human users", query=EXPORT, media_type="text/csv"),
    *_engine.routes_of(_human_users),
    *_engine.routes_of(_single_sign_on_users),
    *_engine.routes_of(_roles),
    *(each for resource in (APPLICATION_USER, HUMAN_USER, SINGLE_SIGN_ON_USER) for each in _user_roles(resource)),
    *_engine.routes_of(_permissions),
    *reference_data.routes(_engine),
    *back_office.routes(_engine),
    *debt_collection.routes(_engine),
    *web_apps.routes(_engine, _keys),
)  # fmt: skip

handler = App(
    PAYMENTS,
    ROUTES,
    journal=Journal("payments-access", _settings.log_level),
    authenticate=Authenticator.of(_settings),
)
