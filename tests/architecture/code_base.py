"""The source tree as data for the architecture tests: modules, their place in the house, what they import and name.

Groups are found by folder: `functions/<family>/<group>/`. Nothing is registered and nothing here imports the code.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from tests.architecture.edges import FAMILY_PACKAGES

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = ROOT / "functions"
SHARED = ROOT / "layers" / "shared" / "python"
DOOR_ROLES = frozenset({"handler", "worker"})

# Higher may import lower, never a peer: doors → service → (rules, repository, clients) → models → errors → tollgate.
# `public` composes the service for other groups as a door does for callers; a group's own door may use it.
RANKS = {
    "handler": 70,
    "worker": 70,
    "routes": 60,
    "public": 50,
    "service": 40,
    "rules": 30,
    "repository": 30,
    "clients": 30,
    "models": 20,
    "errors": 10,
}


@dataclass(frozen=True)
class Import:
    """One imported name: `module` is as precise as the source tells (`vault.tokens.models`), `name` what is taken."""

    module: str
    name: str | None
    line: int


@dataclass(frozen=True)
class Module:
    """One Python file. `name` is how it is imported."""

    path: Path
    name: str

    @property
    def parts(self) -> list[str]:
        return self.name.split(".")

    @property
    def family(self) -> str | None:
        """`vault` for everything below functions/vault; None for the shared layer."""
        return self.parts[0] if self.path.is_relative_to(FUNCTIONS) else None

    @property
    def group(self) -> str | None:
        """`vault.tokens`; None for a family's own modules and packages (`vault.cards`) and for the shared layer."""
        name = ".".join(self.parts[:2])
        is_own = self.family is None or self.path.parent == FUNCTIONS / self.parts[0] or name in FAMILY_PACKAGES
        return None if is_own else name

    @property
    def role(self) -> str:
        """The part it plays in its group: the first name below the group. `settle_worker.py` is a worker."""
        in_common = ".".join(self.parts[:2]) in FAMILY_PACKAGES
        if (self.group is None and not in_common) or len(self.parts) == 2:
            return "package"
        return self.parts[2].rpartition("_")[2] if self.parts[2].endswith(("_handler", "_worker")) else self.parts[2]

    @cached_property
    def source(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source, str(self.path))

    @cached_property
    def imports(self) -> list[Import]:
        return list(_imports(self.tree))

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Local name → what it stands for (`datetime` → `datetime.datetime`), for imports at any depth."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.update(
                    {
                        (a.asname or a.name.split(".")[0]): (a.name if a.asname else a.name.split(".")[0])
                        for a in node.names
                    }
                )
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.update({(a.asname or a.name): f"{node.module}.{a.name}" for a in node.names})
        return found

    def references(self) -> Iterator[tuple[str, int]]:
        """Every dotted name that begins with an imported one, written out in full, with its line."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute | ast.Name):
                dotted = _dotted(node)
                head, _, rest = dotted.partition(".")
                if head in self.aliases:
                    yield f"{self.aliases[head]}.{rest}".rstrip("."), node.lineno

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT)) if self.path.is_relative_to(ROOT) else self.name


def _imports(tree: ast.Module) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, None, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield Import("." * node.level + (node.module or ""), None, node.lineno)
            else:
                yield from (Import(node.module or "", alias.name, node.lineno) for alias in node.names)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def _modules_below(folder: Path) -> list[Module]:
    found = []
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Module(path, name))
    return found


@cache
def functions() -> list[Module]:
    """Every module below functions/."""
    return _modules_below(FUNCTIONS)


@cache
def shared() -> list[Module]:
    """Every module of the shared layer."""
    return _modules_below(SHARED)


@cache
def names() -> frozenset[str]:
    """Every importable name of our own deployed code."""
    return frozenset(module.name for module in functions() + shared())


def families() -> frozenset[str]:
    return frozenset(path.name for path in FUNCTIONS.iterdir() if path.is_dir() and path.name != "__pycache__")


def doors() -> list[Module]:
    """The modules that Lambda calls."""
    return [module for module in functions() if module.role in DOOR_ROLES and len(module.parts) == 3]


def target_of(imported: Import) -> str:
    """The module that an import reaches: `from vault import cards` reaches `vault.cards`."""
    longer = f"{imported.module}.{imported.name}"
    return longer if longer in names() else imported.module


def group_of(name: str) -> str | None:
    """The group that a dotted name belongs to."""
    parts = name.split(".")
    is_group = len(parts) > 1 and (FUNCTIONS / parts[0] / parts[1]).is_dir()
    is_group = is_group and ".".join(parts[:2]) not in FAMILY_PACKAGES
    return ".".join(parts[:2]) if parts[0] in families() and is_group else None
