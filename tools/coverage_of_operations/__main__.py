"""Compares the published operations of the payments API with the routes of all its functions, and prints the coverage.

`operations.txt` lists the operations that the published clients have, by their group. A route counts when method and
path are the same but for the names of path parameters. `--missing` lists what there is not, `--json` is for machines,
`--least N` fails below N per cent. What we serve beyond the list is counted too.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from tools.openapi.__main__ import ROOT, _pretend_to_be_deployed

OPERATIONS = Path(__file__).parent / "operations.txt"
BASE = "/api/v2.0"

Operation = tuple[str, str]
"""(method, path with anonymous parameters)."""


def published() -> dict[str, list[str]]:
    """The published operations as written (`GET /customers/{id}`), by group."""
    groups: dict[str, list[str]] = {}
    operations: list[str] = []
    for line in OPERATIONS.read_text("utf-8").splitlines():
        if line.startswith("["):
            operations = groups.setdefault(line.strip("[]"), [])
        elif line:
            operations.append(line)
    return groups


def served() -> set[Operation]:
    """What the functions of the family serve."""
    _pretend_to_be_deployed()
    found: set[Operation] = set()
    for path in sorted((ROOT / "functions" / "payments").glob("*/handler.py")):
        module = importlib.import_module(f"payments.{path.parent.name}.handler")
        found |= {normal(f"{each.method} {each.path.removeprefix(BASE)}") for each in getattr(module, "ROUTES", ())}
    return found


def normal(operation: str) -> Operation:
    """An operation without the names of its path parameters."""
    method, _, path = operation.partition(" ")
    return method, re.sub(r"\{\w+\}", "{}", path)


def compared(groups: Mapping[str, Iterable[str]], there: set[Operation]) -> dict[str, list[str]]:
    """The operations that are missing, by group."""
    return {group: [each for each in listed if normal(each) not in there] for group, listed in groups.items()}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="coverage-of-operations", description=__doc__)
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--least", type=int, default=0, metavar="PER_CENT")
    asked = parser.parse_args(arguments)
    groups, there = published(), served()
    missing = compared(groups, there)
    total, lacking = sum(map(len, groups.values())), sum(map(len, missing.values()))
    beyond = there - {normal(each) for listed in groups.values() for each in listed}
    if asked.json:
        print(json.dumps({"total": total, "served": total - lacking, "beyond": len(beyond), "missing": missing}))
    else:
        _print(groups, missing, with_missing=asked.missing)
        print(
            f"{total - lacking} of {total} operations ({100 * (total - lacking) / total:.1f} %), {len(beyond)} beyond"
        )
    return int(100 * (total - lacking) < asked.least * total)


def _print(groups: Mapping[str, list[str]], missing: Mapping[str, list[str]], *, with_missing: bool) -> None:
    for group, listed in groups.items():
        print(f"{len(listed) - len(missing[group]):4} / {len(listed):<3} {group}")
        if with_missing:
            for each in missing[group]:
                print(f"             {each}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
