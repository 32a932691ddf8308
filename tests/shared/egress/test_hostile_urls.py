"""A corpus of hostile URLs against the guard, with scripted DNS, and a second opinion from a guard written elsewhere.

`hostile_urls.json` says of each URL whether it is refused while it is read (`unread`: not even a look-up), refused for
what its name resolves to (`resolved`), or `allowed`. A name without a scripted answer does not exist.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from ssrfguard import DEFAULT_DENIED, Policy, SSRFGuardError

from tollgate.egress import Egress, TargetRefused

CORPUS: dict[str, Any] = json.loads((Path(__file__).parent / "hostile_urls.json").read_text("ascii"))
CASES: list[tuple[str, str, str]] = [tuple(case) for case in CORPUS["cases"]]
REFUSED = [case for case in CASES if case[0] != "allowed"]
ALLOWED = [url for verdict, url, _ in CASES if verdict == "allowed"]


class ScriptedNames:
    """Answers from the corpus, and counts what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, name: str) -> list[str]:
        self.asked.append(name)
        if name not in CORPUS["answers"]:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        answers: list[str] = CORPUS["answers"][name]
        return answers


class NoConnection:
    """Stands where the socket would be opened, and remembers every attempt."""

    def __init__(self) -> None:
        self.attempts: list[tuple[str, int]] = []

    def __call__(self, address: str, port: int, seconds: float) -> socket.socket:
        self.attempts.append((address, port))
        raise ConnectionRefusedError


def shown(case: tuple[str, str, str]) -> str:
    return f"{case[2]}: {case[1]!a:.60}"


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(REFUSED) >= 200
    assert len({url for _, url, _ in CASES}) == len(CASES)


@pytest.mark.parametrize("case", REFUSED, ids=shown)
def test_a_hostile_url_is_refused_before_any_connection(case: tuple[str, str, str]) -> None:
    verdict, url, _ = case
    names, connect = ScriptedNames(), NoConnection()
    egress = Egress(resolver=names, connect=connect)
    with pytest.raises(TargetRefused) as refusal:
        egress.request("GET", url, deadline_seconds=5, max_response_bytes=100)
    assert connect.attempts == []
    assert len(names.asked) == (1 if verdict == "resolved" else 0)
    assert refusal.value.sent is False
    assert refusal.value.message == "The destination is not permitted"


@pytest.mark.parametrize("url", ALLOWED, ids=ascii)
def test_an_honest_url_is_resolved_once_and_passes(url: str) -> None:
    names = ScriptedNames()
    target = Egress(resolver=names).check(url)
    assert len(names.asked) == 1
    assert target.addresses == tuple(CORPUS["answers"][names.asked[0]])
    assert target.location.port == 443


def test_no_case_of_the_corpus_passes_with_a_sandbox_list_that_names_something_else() -> None:
    egress = Egress(["127.0.0.1:8080", "localhost:9000"], resolver=ScriptedNames(), connect=NoConnection())
    passed = [url for _, url, _ in REFUSED if _passes(egress, url)]
    assert passed == []


def _passes(egress: Egress, url: str) -> bool:
    try:
        egress.check(url)
    except TargetRefused:
        return False
    return True


def test_the_second_opinion_finds_nothing_that_we_let_through() -> None:
    """Whatever the other guard refuses we refuse: its URL policy and its address table, over the whole corpus."""
    egress = Egress(resolver=ScriptedNames())
    assert [url for _, url, _ in CASES if _passes(egress, url) and not _other_passes(url)] == []


def test_the_second_opinion_is_worth_having() -> None:
    """It refuses most of what we refuse: the corpus means something to a program that does not know our rules."""
    refused = [url for _, url, _ in REFUSED if not _other_passes(url)]
    assert len(refused) >= 200


def _other_passes(url: str) -> bool:
    try:
        host = (
            Policy(allowed_schemes=frozenset({"https"}), allowed_ports=frozenset({443}))
            .check_url(url)
            .host.removesuffix(".")
            .lower()
        )
    except (SSRFGuardError, ValueError):
        return False
    answers = CORPUS["answers"].get(host, [])
    return bool(answers) and not any(_is_denied(address) for address in answers)


def _is_denied(address: str) -> bool:
    try:
        return DEFAULT_DENIED.classify(address).blocked
    except ValueError:
        return True
