"""The house rules about source code, each as a function from one module to what is wrong in it.

A rule answers lines of the form `line: what and what instead`. That every rule can fail is proven in
test_rules_bite.py; which modules a rule applies to is written in test_code.py.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.architecture import code_base, edges
from tests.architecture.code_base import RANKS, Module

Rule = Callable[[Module], Iterator[str]]

LONGEST_FUNCTION = 70
LONGEST_MODULE = 500

_BANNED_NAMES = frozenset({"util", "utils", "helper", "helpers", "common", "manager", "managers", "base", "misc"})
_BANNED_SUFFIXES = ("Util", "Utils", "Helper", "Helpers", "Manager", "Base")

_TIME = re.compile(r"datetime\.(datetime|date)\.(now|utcnow|today)$|time\.(time|time_ns|localtime|gmtime)$")
_CHANCE = re.compile(r"uuid\.uuid\d|uuid\.getnode|random\.|secrets\.|os\.urandom")
_ENVIRONMENT = re.compile(r"os\.(environ|environb|getenv|putenv)\b")
_SDK = re.compile(r"(boto3|botocore)\b")

# Who may do what only one place does. Names of modules, or of packages with a dot at the end.
_KEEPERS_OF_TIME = ("tollgate.clock",)
_KEEPERS_OF_CHANCE = ("tollgate.ids", "tollgate.crypto.")  # nonces and keys are made beside the cipher that needs them
_KEEPERS_OF_ENVIRONMENT = ("tollgate.config",)
_KEEPERS_OF_SDK = ("tollgate.",)

_STORE = ("tollgate.store.table", "tollgate.store.items", "tollgate.aws")
_COMPOSERS = frozenset({"handler", "worker", "public", "repository"})
_DOOR_SHAPES = frozenset({"App", "Route", "Router", "Request", "Answer"})
_BELOW_DOORS = frozenset({"service", "rules", "repository", "models", "errors", "clients"})
_CALLERS_OF_OTHER_GROUPS = frozenset({"handler", "worker", "routes", "public", "service", "clients"})
_TABLE_CALLS = frozenset(
    {"get", "batch_get", "query", "scan_partition", "put", "update", "delete", "get_item", "put_item", "update_item"}
    | {"delete_item", "transact_write_items", "transact_get_items", "batch_get_item", "batch_write_item", "scan"}
)


# ------------------------------------------------------------------ who imports whom


def imports_point_one_way(module: Module) -> Iterator[str]:
    """Within a group: doors → service → (rules, repository, clients) → models → errors, never up, never sideways."""
    own = RANKS.get(module.role)
    for imported in module.imports:
        target = Module(Path(), code_base.target_of(imported))
        if own is None or module.group is None or code_base.group_of(target.name) != module.group:
            continue
        role = _role_of(target.name)
        if role != module.role and role in RANKS and RANKS[role] >= own:
            yield f"{imported.line}: {module.role} imports {role}; only what stands below may be imported"


def known_part_of_a_group(module: Module) -> Iterator[str]:
    """A group consists of the files that every group consists of, so that who knows one knows all."""
    if module.group is not None and module.role != "package" and module.role not in RANKS:
        yield f"1: {module.parts[2]} is no part of a group; parts are {', '.join(RANKS)}"


def other_groups_through_public(module: Module) -> Iterator[str]:
    """Another group only through its `public`, over a declared edge, from where work is sequenced."""
    for imported in module.imports:
        target = code_base.target_of(imported)
        other = code_base.group_of(target)
        if other is None or other == module.group:
            continue
        if module.family is None or module.group is None:
            yield f"{imported.line}: imports {other}; only groups call groups"
        elif (module.group, other) not in edges.EDGES:
            yield f"{imported.line}: {module.group} → {other} is no edge of tests/architecture/edges.py"
        elif _role_of(target) != "public":
            yield f"{imported.line}: imports {target}; of another group only `public`"
        elif module.role not in _CALLERS_OF_OTHER_GROUPS:
            yield f"{imported.line}: {module.role} calls another group; the service or a client does that"


def card_zone_is_closed(module: Module) -> Iterator[str]:
    """Nobody outside the card zone imports code that may meet a card number, not even a family's own modules."""
    if module.family in edges.CARD_ZONE:
        return
    for imported in module.imports:
        if imported.module.split(".")[0] in edges.CARD_ZONE:
            yield f"{imported.line}: imports {imported.module} from the card zone"


def families_keep_apart(module: Module) -> Iterator[str]:
    """A family's own modules (`vault.cards`) serve that family; the shared layer knows no family."""
    for imported in module.imports:
        target = code_base.target_of(imported)
        top = target.split(".")[0]
        if top in code_base.families() and top != module.family and code_base.group_of(target) is None:
            yield f"{imported.line}: imports {target} of another family"


def no_relative_imports(module: Module) -> Iterator[str]:
    """A full name says which group it belongs to."""
    for imported in module.imports:
        if imported.module.startswith("."):
            yield f"{imported.line}: relative import"


# ------------------------------------------------------------------ who touches what


def only_repositories_speak_dynamodb(module: Module) -> Iterator[str]:
    """Doors and `public` hand tables on; the repository alone reads and writes. A service sees units of work."""
    if module.family is None:
        return
    for imported in module.imports:
        target = code_base.target_of(imported)
        if target in _STORE and module.role not in _COMPOSERS:
            yield f"{imported.line}: imports {target}; the repository speaks to the store"
    if module.role != "repository":
        yield from _calls_on_tables(module)


def _calls_on_tables(module: Module) -> Iterator[str]:
    tables = {"Table"} | {
        target.id
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Assign) and _is_call_of(node.value, "Table", "dynamodb")
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _TABLE_CALLS:
            owner = node.func.value
            if _is_call_of(owner, "Table", "dynamodb") or (isinstance(owner, ast.Name) and owner.id in tables):
                yield f"{node.lineno}: calls {node.func.attr} on a table; the repository does that"


def _is_call_of(node: ast.expr, *names: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    return (isinstance(called, ast.Name) and called.id in names) or (
        isinstance(called, ast.Attribute) and called.attr in names
    )


def doors_keep_http_to_themselves(module: Module) -> Iterator[str]:
    """Below a door nobody sees a request, a route or a status code."""
    if module.role not in _BELOW_DOORS:
        return
    for imported in module.imports:
        if imported.module.startswith("tollgate.http") and imported.name in _DOOR_SHAPES:
            yield f"{imported.line}: imports {imported.name}; HTTP stops at the door"


def sdk_stays_in_the_shared_layer(module: Module) -> Iterator[str]:
    """Clients are made in `tollgate.aws`; boto3's resources and sessions are of no use to anybody."""
    for imported in module.imports:
        is_sdk = _SDK.match(imported.module)
        if is_sdk and (imported.module.startswith("boto3") or not _is_kept_by(module, _KEEPERS_OF_SDK)):
            yield f"{imported.line}: imports {imported.module}; take a client from tollgate.aws"


def time_comes_from_the_clock(module: Module) -> Iterator[str]:
    """The sandbox clock and every test can only hold a time that has one source."""
    if not _is_kept_by(module, _KEEPERS_OF_TIME):
        yield from _references_to(module, _TIME, "take the time from tollgate.clock")


def chance_comes_from_ids(module: Module) -> Iterator[str]:
    """Identifiers, secrets and jitter have one source, which a test can make literal."""
    if not _is_kept_by(module, _KEEPERS_OF_CHANCE):
        yield from _references_to(module, _CHANCE, "take it from tollgate.ids")


def environment_comes_from_config(module: Module) -> Iterator[str]:
    """What a function reads from its environment is a field of its settings, so that the template can be compared."""
    if not _is_kept_by(module, _KEEPERS_OF_ENVIRONMENT):
        yield from _references_to(module, _ENVIRONMENT, "make it a field of the group's settings")


def money_is_never_float(module: Module) -> Iterator[str]:
    """No float literal, conversion or annotation anywhere in the functions: amounts are integers of minor units."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"{node.lineno}: the float {node.value}"
        elif isinstance(node, ast.Name) and node.id == "float":
            yield f"{node.lineno}: float"


def _references_to(module: Module, pattern: re.Pattern[str], instead: str) -> Iterator[str]:
    for name, line in module.references():
        if pattern.match(name):
            yield f"{line}: {name}; {instead}"


def _is_kept_by(module: Module, keepers: tuple[str, ...]) -> bool:
    return any(module.name == keeper or (keeper.endswith(".") and module.name.startswith(keeper)) for keeper in keepers)


# ------------------------------------------------------------------ writing


def names_say_something(module: Module) -> Iterator[str]:
    """Nothing is called utils, helpers, common, manager, base: such a name says that nobody knew what it is."""
    for part in module.parts:
        if part in _BANNED_NAMES:
            yield f"1: a module called {part}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and node.name.endswith(_BANNED_SUFFIXES):
            yield f"{node.lineno}: a class called {node.name}"


def says_what_it_is_for(module: Module) -> Iterator[str]:
    """A module opens with what it is for. An empty `__init__.py` has nothing to say."""
    if module.source.strip() and not ast.get_docstring(module.tree):
        yield "1: no docstring"


def fits_on_the_page(module: Module) -> Iterator[str]:
    """Functions of about fifteen lines and at most 70, modules of about two hundred and at most 500."""
    length = len(module.source.splitlines())
    if length > LONGEST_MODULE:
        yield f"1: {length} lines, at most {LONGEST_MODULE}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield f"{node.lineno}: {node.name} has {lines} lines, at most {LONGEST_FUNCTION}"


def _role_of(name: str) -> str:
    parts = name.split(".")
    if len(parts) < 3:
        return "package"
    return parts[2].rpartition("_")[2] if parts[2].endswith(("_handler", "_worker")) else parts[2]


STRUCTURE: tuple[Rule, ...] = (
    imports_point_one_way,
    known_part_of_a_group,
    other_groups_through_public,
    card_zone_is_closed,
    families_keep_apart,
    no_relative_imports,
    only_repositories_speak_dynamodb,
    doors_keep_http_to_themselves,
    sdk_stays_in_the_shared_layer,
    time_comes_from_the_clock,
    chance_comes_from_ids,
    environment_comes_from_config,
)
"""For everything that is deployed."""

MONEY: tuple[Rule, ...] = (money_is_never_float,)
"""For the functions."""

WRITING: tuple[Rule, ...] = (names_say_something, says_what_it_is_for, fits_on_the_page)
"""For every Python file of the repository."""
