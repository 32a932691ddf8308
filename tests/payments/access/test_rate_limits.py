"""Limits of requests per window: exact when small, cheap when large, shared by workers, for users and for spaces."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest

from tests.payments.access.test_signed_requests import _SETTINGS, door
from tests.support.payments import Merchant
from tollgate import aws
from tollgate.auth.directory import Directory, row_key
from tollgate.auth.rate_limits import WINDOW_SECONDS, Failures, RateLimits
from tollgate.dialects.payments import PAYMENTS, Authenticator, keyring_of
from tollgate.errors import Throttled
from tollgate.http.app import App
from tollgate.log import Journal
from tollgate.store.table import Table


class CountingTable(Table):
    """Counts its writes."""

    writes = 0

    def update(self, *args: Any, **kwargs: Any) -> Any:
        type(self).writes += 1
        return super().update(*args, **kwargs)


def table() -> CountingTable:
    return CountingTable(_SETTINGS.payments_table, aws.dynamodb())


def served(limits: RateLimits, subject: str, limit: int, most: int) -> int:
    for count in range(most):
        try:
            limits.take(subject, limit)
        except Throttled:
            return count
    return most


@pytest.fixture
def subject() -> str:
    return f"TEST#{uuid.uuid4()}"


@pytest.mark.parametrize("limit", [0, 1, 7, 100, 199])
def test_a_small_limit_is_exact(subject: str, held_clock: Any, limit: int) -> None:
    assert served(RateLimits(table()), subject, limit, limit + 5) == limit


def test_two_workers_share_a_small_limit_exactly(subject: str, held_clock: Any) -> None:
    workers = [RateLimits(table()), RateLimits(table())]
    counts = [0, 0]

    def work(place: int) -> None:
        counts[place] = served(workers[place], subject, 60, 100)

    threads = [threading.Thread(target=work, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 60


def test_two_workers_never_serve_more_than_a_large_limit(subject: str, held_clock: Any) -> None:
    first, second = RateLimits(table()), RateLimits(table())
    limit = 2050
    served_by_first = served(first, subject, limit, 1003)
    assert served_by_first == 1003
    total = served_by_first + served(second, subject, limit, limit)
    assert limit - limit // 100 <= total <= limit
    assert total + served(first, subject, limit, limit) == limit


def test_a_request_costs_a_fraction_of_a_write(subject: str, held_clock: Any) -> None:
    counting = table()
    before = CountingTable.writes
    assert served(RateLimits(counting), subject, 30_000, 1000) == 1000
    assert CountingTable.writes - before == 4


def test_a_refused_worker_asks_no_more_until_the_next_window(subject: str, held_clock: Any) -> None:
    limits = RateLimits(table())
    assert served(limits, subject, 3, 10) == 3
    before = CountingTable.writes
    assert served(limits, subject, 3, 10) == 0
    assert CountingTable.writes == before
    held_clock.advance(seconds=WINDOW_SECONDS)
    assert served(limits, subject, 3, 10) == 3


def test_a_client_is_told_when_to_come_back(subject: str, held_clock: Any) -> None:
    limits = RateLimits(table())
    limits.take(subject, 1)
    with pytest.raises(Throttled) as refused:
        limits.take(subject, 1)
    seconds = refused.value.retry_after_seconds
    assert 1 <= seconds <= WINDOW_SECONDS
    held_clock.advance(seconds=seconds)
    limits.take(subject, 1)


def limit_to(kind: str, number: int, limit: int) -> None:
    table().update(*row_key(kind, number), "SET #limit = :limit", names={"#limit": "limit"}, values={":limit": limit})


@pytest.mark.parametrize("kind", ["USER", "SPACE"])
def test_a_limit_is_answered_and_ends_with_the_window(merchant: Merchant, held_clock: Any, kind: str) -> None:
    limit_to(kind, merchant.user_id if kind == "USER" else merchant.space_id, 3)
    assert [merchant.call(door, "GET", "/probes").status for _ in range(5)] == [200, 200, 200, 429, 429]
    answer = merchant.call(door, "GET", "/probes", headers={"accept": "application/xml"})
    assert answer.status == 429
    assert answer.json["code"] == "too_many_requests"
    held_clock.advance(seconds=int(answer.headers["retry-after"]))
    assert merchant.call(door, "GET", "/probes").status == 200


def test_who_is_not_known_spends_nothing(merchant: Merchant, make_tenant: Any, held_clock: Any) -> None:
    """Neither a bad signature nor another tenant's user counts against a user or a space."""
    limit_to("USER", merchant.user_id, 1)
    limit_to("SPACE", merchant.space_id, 1)
    stranger = make_tenant()
    for _ in range(3):
        assert stranger.call(door, "GET", "/probes", space=merchant.space_id).status == 403
        forged = merchant.sign("GET", "/api/v2.0/probes", key=bytes(32))
        headers = {"authorization": f"Bearer {forged}"}
        assert merchant.call(door, "GET", "/probes", headers=headers).status == 401
    assert merchant.call(door, "GET", "/probes").status == 200
    assert merchant.call(door, "GET", "/probes").status == 429


def test_who_keeps_failing_is_slowed_down_and_no_one_else(merchant: Merchant, held_clock: Any) -> None:
    directory = Directory(table(), keyring_of(_SETTINGS))
    guarded = App(
        PAYMENTS, door.router.routes, journal=Journal("probe"),
        authenticate=Authenticator(directory, RateLimits(table()), Failures(3)),
    )  # fmt: skip
    forged = {"authorization": f"Bearer {merchant.sign('GET', '/api/v2.0/probes', key=bytes(32))}"}
    statuses = [merchant.call(guarded, "GET", "/probes", headers=forged).status for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    assert merchant.call(guarded, "GET", "/probes").status == 200
    held_clock.advance(seconds=WINDOW_SECONDS)
    again = {"authorization": f"Bearer {merchant.sign('GET', '/api/v2.0/probes', key=bytes(32))}"}
    assert merchant.call(guarded, "GET", "/probes", headers=again).status == 401
