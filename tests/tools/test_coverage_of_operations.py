"""The command that says how much of the published operations there is."""

from __future__ import annotations

import json

import pytest

from tools.coverage_of_operations.__main__ import compared, main, normal, published, served


def test_the_list_is_whole() -> None:
    groups = published()
    operations = [normal(each) for listed in groups.values() for each in listed]
    assert len(operations) == len(set(operations)) == 529
    assert ("GET", "/customers/{}/email-addresses") in operations


def test_counts_what_is_served_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (
        answer["missing"]["Customers"] == answer["missing"]["CustomerAddresses"] == answer["missing"]["Countries"] == []
    )
    assert answer["served"] == 529 - sum(map(len, answer["missing"].values()))
    there = served()
    assert compared({"g": ["GET /customers", "GET /customers/{x}", "PUT /customers"]}, there) == {
        "g": ["PUT /customers"]
    }


def test_can_demand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--least", "101"]) == 1
    assert "of 529 operations" in capsys.readouterr().out
