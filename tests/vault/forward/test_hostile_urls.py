"""The corpus of hostile URLs through the route, with an account that lists far too much."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.http import Merchant, send
from tollgate.egress import Egress, is_prefix
from tollgate.egress.urls import read
from vault.forward import handler as door
from vault.tokens.handler import handler as tokens_door

CORPUS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "shared/egress/hostile_urls.json").read_text("ascii"))
REFUSED: list[str] = [url for verdict, url, _ in CORPUS["cases"] if verdict != "allowed"]
MESSAGES = {400: "The request is not valid", 403: "The destination is not permitted"}


def origin_of(url: str) -> str | None:
    """The root of a URL, where it has one that could be listed."""
    try:
        place = read(url)
    except Exception:
        return None
    root = f"{place.scheme}://{place.host_and_port}/"
    return root if is_prefix(root) else None


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(REFUSED) >= 200


@pytest.mark.parametrize("lists_them", [False, True], ids=["unlisted", "listed"])
def test_no_hostile_url_opens_a_connection(
    make_merchant: Callable[..., Merchant], monkeypatch: pytest.MonkeyPatch, lists_them: bool
) -> None:
    """In the second run the account lists the origin of each of them: then the guard alone stands in the way."""
    dialled: list[str] = []

    def resolve(name: str) -> list[str]:
        if name not in CORPUS["answers"]:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        answers: list[str] = CORPUS["answers"][name]
        return answers

    def connect(address: str, port: int, seconds: float) -> socket.socket:
        dialled.append(address)
        raise ConnectionRefusedError

    merchant = make_merchant(door.handler)
    card = {"account_number": "4242424242424242", "expiry_month": 4, "expiry_year": 2033}
    token = merchant.at(tokens_door).send("POST", "/cde-import", json_body=card).json["id"]
    monkeypatch.setattr(door._service, "_egress", Egress(resolver=resolve, connect=connect))
    listed: list[str] = []
    monkeypatch.setattr(door._service._destinations, "of", lambda account: tuple(listed))
    for url in REFUSED:
        listed[:] = [origin for origin in [origin_of(url)] if origin and lists_them]
        headers = {"x-api-key": merchant.api_key, "x-hellgate-token": token, "x-destination-url": url}
        answer = send(door.handler, "POST", "/forward", headers=headers, json_body={"n": "{{ account_number }}"})
        assert answer.status in MESSAGES, url
        assert answer.json["message"] == MESSAGES[answer.status]
    assert dialled == []
