"""Cursors of the family's lists: nobody can make one, change one, or use one of another account or list."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.risk.instances import Instance, MakeInstance

RULESETS, BLACKLIST = "/api/admin/rulesets", "/api/admin/blacklist"


def fill(instance: Instance) -> None:
    for n in range(3):
        assert instance.draft(context=f"c{n}").status == 201
        entry = {"field_path": "$.device.ip", "value": f"203.0.113.{n}"}
        assert instance.send("POST", BLACKLIST, json_body=entry).status == 201


def cursor_of(instance: Instance, target: str) -> str:
    link = instance.send("GET", f"{target}?limit=1").json["links"]["next"]
    return parse_qs(urlsplit(link).query)["after"][0]


def changed(cursor: str, at: int) -> str:
    return cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]


@pytest.fixture
def filled(instance: Instance) -> Instance:
    fill(instance)
    return instance


@pytest.mark.parametrize("target", [RULESETS, BLACKLIST])
@pytest.mark.parametrize(
    "tamper",
    [
        lambda cursor: changed(cursor, 0),
        lambda cursor: changed(cursor, len(cursor) // 2),
        lambda cursor: changed(cursor, len(cursor) - 2),
        lambda cursor: cursor[:-4],
        lambda cursor: cursor + "AAAA",
        lambda cursor: cursor[::-1],
    ],
)
def test_a_changed_one_is_refused(filled: Instance, target: str, tamper: Callable[[str], str]) -> None:
    cursor = cursor_of(filled, target)
    assert filled.send("GET", f"{target}?limit=1&after={quote(cursor)}").status == 200
    answer = filled.send("GET", f"{target}?limit=1&after={quote(tamper(cursor))}")
    assert (answer.status, answer.paths()) == (422, ["query.after"])


def test_one_is_of_its_account_and_list(filled: Instance, make_instance: MakeInstance) -> None:
    other = make_instance()
    fill(other)
    for target, foreign in ((RULESETS, BLACKLIST), (BLACKLIST, RULESETS)):
        cursor = cursor_of(filled, target)
        for answer in (
            other.send("GET", f"{target}?after={quote(cursor)}"),
            filled.send("GET", f"{foreign}?after={quote(cursor)}"),
        ):
            assert (answer.status, answer.paths()) == (422, ["query.after"])
