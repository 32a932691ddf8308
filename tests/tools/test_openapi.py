"""The committed OpenAPI documents are what the code says, and every operation can be told apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tools.openapi.__main__ import FOLDER, generated
from tools.openapi.document import Document, Family, NameTaken

FAMILY = Family(title="t", version="1", description="d", error={"title": "Error", "type": "object"}, security={})


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    return generated()


def test_the_committed_documents_are_up_to_date(documents: dict[str, str]) -> None:
    committed = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    stale = [name for name, text in documents.items() if committed.get(name) != text]
    assert (stale, sorted(committed)) == ([], sorted(documents)), "run `make docs`"


def test_operation_ids_are_unique(documents: dict[str, str]) -> None:
    for text in documents.values():
        ids = [operation["operationId"] for path in json.loads(text)["paths"].values() for operation in path.values()]
        assert len(ids) == len(set(ids))


def test_two_shapes_of_one_name_are_refused() -> None:
    document = Document(FAMILY)
    first: dict[str, Any] = {"title": "Thing", "type": "object", "properties": {"a": {"type": "string"}}}
    document._schema(first, "validation")
    document._schema(dict(first), "validation")
    with pytest.raises(NameTaken):
        document._schema({**first, "properties": {}}, "validation")
