"""The signature vector, the schedule, health, taking turns: without a store and without a network."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from control.notifications import rules
from control.notifications.models import Endpoint, Notification, stamp
from tollgate.events import Event

KEY = b"test_hmac_key"
BODY = (
    '{"id":"b21ecb35-6c95-46d9-afb2-c130cdf1750f","created_at":"2023-01-01T00:00:00Z","event_type":"token.created",'
    '"token":{"id":"5d6b2c9a-9b0b-4b0c-8c7d-9e9d5d7e9d5d"}}'
)
SIGNATURE = "6f70ab11d7c3f8477fd928e265700b159f155fd248b449b2a052fcf3df1bddcf"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
FAILING = Endpoint("a", failing_since=stamp(NOW), last_failed_at=stamp(NOW))


def notification(body: str = BODY) -> Notification:
    return Notification(
        id="b21ecb35-6c95-46d9-afb2-c130cdf1750f", account_id="a", event_type="token.created", subject="s", sequence=7,
        created_at="2023-01-01T00:00:00Z", queued_at=stamp(NOW), body=body, status="pending",
    )  # fmt: skip


def headers(body: str = BODY, keys: tuple[bytes, ...] = (KEY,), at: datetime = NOW) -> dict[str, str]:
    return dict(rules.headers(keys, notification(body), at))


class TestSignature:
    def test_of_the_vector(self) -> None:
        assert headers()["x-hmac-signature"] == SIGNATURE

    def test_of_the_vector_s_event(self) -> None:
        event = Event(
            id="b21ecb35-6c95-46d9-afb2-c130cdf1750f", account_id="a", type="token.created", subject="s",
            created_at="2023-01-01T00:00:00Z", payload={"token": {"id": "5d6b2c9a-9b0b-4b0c-8c7d-9e9d5d7e9d5d"}},
        )  # fmt: skip
        assert rules.body_of(event) == BODY

    @pytest.mark.parametrize("body", [BODY.replace("token.c", "token.d"), BODY + "\n", BODY.replace(",", ", ")])
    def test_of_anything_else_differs(self, body: str) -> None:
        assert headers(body)["x-hmac-signature"] != SIGNATURE

    def test_names_what_was_signed(self) -> None:
        made = headers()
        assert made["webhook-id"] == notification().id
        assert made["webhook-timestamp"] == str(int(NOW.timestamp()))
        assert made["x-tollgate-sequence"] == "7"

    def test_holds_for_every_key(self) -> None:
        now = datetime.now(UTC)
        keys = (b"a" * 43, b"b" * 43)
        made = headers(keys=keys, at=now)
        for key in keys:
            Webhook("whsec_" + base64.b64encode(key).decode()).verify(BODY, made)
        with pytest.raises(WebhookVerificationError):
            Webhook("whsec_" + base64.b64encode(b"c" * 43).decode()).verify(BODY, made)

    def test_is_what_the_standard_s_own_library_makes(self) -> None:
        secret = base64.b64encode(KEY).decode()
        assert headers()["webhook-signature"] == Webhook(secret).sign(notification().id, NOW, BODY)

    def test_grows_old(self) -> None:
        old = headers(at=datetime.now(UTC) - timedelta(minutes=6))
        with pytest.raises(WebhookVerificationError):
            Webhook(base64.b64encode(KEY).decode()).verify(BODY, old)


class TestSchedule:
    def test_has_eight_repetitions(self) -> None:
        delays = [rules.next_attempt_at(tries, NOW, rules.WHOLE) for tries in range(1, 10)]
        expected = [10, 60, 300, 1_800, 7_200, 21_600, 43_200, 86_400]
        assert delays == [*(stamp(NOW + timedelta(seconds=each)) for each in expected), None]


class TestHealth:
    def test_begins_to_fail_with_the_first_failure(self) -> None:
        after = rules.after_failure(Endpoint("a"), None, NOW, None)
        assert (after.failing_since, after.disabled_at) == (stamp(NOW), None)

    @pytest.mark.parametrize(("days", "disabled"), [(2.99, False), (3, True), (30, True)])
    def test_ends_after_three_days_of_failures(self, days: float, disabled: bool) -> None:
        at = NOW + timedelta(days=days)
        after = rules.after_failure(replace(FAILING, last_failed_at=stamp(at - timedelta(hours=24))), None, at, None)
        assert (after.disabled_at is not None) is disabled
        assert rules.is_disabled(after, None) is disabled

    def test_is_not_judged_over_a_time_in_which_nothing_was_sent(self) -> None:
        at = NOW + timedelta(days=9)
        assert rules.is_late(FAILING, at)
        assert rules.after_failure(FAILING, None, at, None).failing_since == stamp(at)
        assert rules.after_failure(FAILING, None, at, stamp(at)).failing_since == stamp(at)
        assert rules.after_failure(FAILING, None, at, stamp(NOW)).disabled_at == stamp(at)

    def test_starts_anew_with_a_delivery_or_a_url(self) -> None:
        assert rules.after_success(FAILING) == Endpoint("a")
        at = NOW + timedelta(days=4)
        after = rules.after_failure(FAILING, stamp(NOW + timedelta(days=1)), at, stamp(NOW))
        assert (after.failing_since, after.disabled_at) == (stamp(at), None)

    def test_is_restored_by_naming_the_url_again(self) -> None:
        disabled = replace(FAILING, disabled_at=stamp(NOW))
        assert rules.is_disabled(disabled, None)
        assert rules.is_disabled(disabled, stamp(NOW - timedelta(seconds=1)))
        assert not rules.is_disabled(disabled, stamp(NOW + timedelta(seconds=1)))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers())))
def test_accounts_take_turns(rows: list[tuple[str, int]]) -> None:
    given_out = list(rules.fairly(rows))
    for account in "abc":
        assert [row for row in given_out if row[0] == account] == [row for row in rows if row[0] == account]
    seen: dict[str, int] = dict.fromkeys("abc", 0)
    left = {account: sum(1 for row in rows if row[0] == account) for account in "abc"}
    for account, _ in given_out:
        assert all(seen[account] <= seen[other] or left[other] == 0 for other in "abc")
        seen[account] += 1
        left[account] -= 1
