"""Writes `functions/control/documents/openapi/<family>.json`, which the platform serves and `docs/openapi` shows.

With `--check` it writes nothing and fails when a committed document is not what the code says.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "functions/control/documents/openapi"


def main() -> int:
    _pretend_to_be_deployed()
    stale = [name for name, text in generated().items() if _differs(name, text)]
    if "--check" in sys.argv[1:]:
        for name in stale:
            print(f"{name}.json is not what the code says; run `make docs`", file=sys.stderr)
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name, text in generated().items():
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
    print(f"wrote {', '.join(sorted(generated()))}")
    return 0


def generated() -> dict[str, str]:
    """The text of every document, by name. The environment must look like a deployed function's."""
    from tools.openapi.document import Document
    from tools.openapi.families import FAMILIES

    documents = {name: Document(family) for name, (family, _) in FAMILIES.items()}
    homes = {folder: name for name, (_, folders) in FAMILIES.items() for folder in folders}
    for path in sorted((ROOT / "functions").glob("*/*/handler.py")):
        group = path.parent.relative_to(ROOT / "functions")
        module = importlib.import_module(".".join((*group.parts, "handler")))
        home = getattr(module, "DOCUMENT", homes.get(str(group)) or homes.get(group.parts[0]))
        if home is not None and hasattr(module, "ROUTES"):
            documents[home].add(module.ROUTES)
    return {name: _text(document.finished()) for name, document in documents.items()}


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _differs(name: str, text: str) -> bool:
    path = FOLDER / f"{name}.json"
    return not path.exists() or path.read_text(encoding="utf-8") != text


def _pretend_to_be_deployed() -> None:
    """Handlers read their settings at import; nothing is called."""
    from local import template

    sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "layers/shared/python")]
    deployment = template.load(ROOT / "template.yaml")
    for function in deployment.functions:
        os.environ.update(deployment.environment(function))
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")


if __name__ == "__main__":
    sys.exit(main())
