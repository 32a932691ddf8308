"""Drives an import from outside: the API as its owner, the queue as SQS, the schedule as EventBridge."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.environment import DEPLOYMENT
from tests.support.http import Merchant, Response
from tests.support.objects import FakeS3
from tests.support.queues import FakeSqs
from vault.imports import resume_worker, worker
from vault.imports.models import Step
from vault.tokens import handler as tokens

QUEUE = DEPLOYMENT.environment("ImportWorker")["IMPORT_QUEUE_URL"]
BUCKET = DEPLOYMENT.environment("ImportWorker")["IMPORTS_BUCKET"]
REASONS = {
    "duplicate", "invalid_card_data", "expired_card", "unsupported_type", "destination_error", "source_error",
    "rate_limited", "unknown",
}  # fmt: skip
MOST_STEPS = 500


def record(body: str, message_id: str = "m") -> dict[str, Any]:
    """A message as SQS brings it."""
    return {"messageId": message_id, "body": body, "eventSource": "aws:sqs", "attributes": {}}


class Context:
    """An invocation with so many seconds left, one less at every question."""

    def __init__(self, seconds: int) -> None:
        self._left = seconds

    def get_remaining_time_in_millis(self) -> int:
        self._left -= 1
        return self._left * 1000


@dataclass
class Importer:
    """One merchant. Messages of others in the queue are left alone."""

    merchant: Merchant
    sqs: FakeSqs
    s3: FakeS3
    seen: list[str] = field(default_factory=list)

    @property
    def account_id(self) -> str:
        return self.merchant.account_id

    # ------------------------------------------------------------------ as the owner

    def post(self, **stripe: Any) -> Response:
        return self.merchant.send("POST", "/tokens/imports", json_body={"provider": "stripe", "stripe": stripe})

    def begin(self, api_key: str = "sk_test_demo") -> str:
        answer = self.post(api_key=api_key)
        assert answer.status == 200, answer.body
        return str(answer.json["id"])

    def read(self, import_id: str) -> Any:
        answer = self.merchant.send("GET", f"/tokens/imports/{import_id}")
        assert answer.status == 200
        assert answer.json["attemts"] == answer.json["successes"] + answer.json["failures"]
        return answer.json

    def abort(self, import_id: str) -> Response:
        return self.merchant.send("POST", f"/tokens/imports/{import_id}/abort")

    def failures(self, import_id: str, query: str = "limit=500") -> Any:
        answer = self.merchant.send("GET", f"/tokens/imports/{import_id}/failures?{query}")
        assert answer.status == 200
        return answer.json

    def tokens(self) -> Any:
        """Every token of the account, newest first."""
        found, page = [], 1
        while True:
            answer = self.merchant.at(tokens.handler).send("GET", f"/tokens?limit=500&page={page}").json
            found += answer["data"]
            if page >= answer["total_pages"]:
                assert answer["total_items"] == len(found)
                return found
            page += 1

    def tokens_of(self, business_key: str) -> int:
        answer = self.merchant.at(tokens.handler).send("GET", f"/tokens?business_key={business_key}")
        return int(answer.json["total_items"])

    # ------------------------------------------------------------------ as the queue and the schedule

    def messages(self) -> list[str]:
        """The account's messages that nobody has taken yet."""
        bodies = self.sqs.sent.get(QUEUE, [])
        return [body for body in bodies if json.loads(body)["account_id"] == self.account_id]

    def take(self, body: str) -> None:
        self.sqs.sent[QUEUE].remove(body)

    def deliver(self, body: str, context: object = None) -> bool:
        """One message to the worker; False when it was reported as failed."""
        answer = worker.handler({"Records": [record(body)]}, context or object())
        return not answer["batchItemFailures"]

    def work(self, most: int = MOST_STEPS, chance: random.Random | None = None) -> int:
        """Deliver messages until there are none left; answers how many it took. `chance` disorders and doubles them."""
        for count in range(most):
            waiting = self.messages()
            if not waiting:
                return count
            body = chance.choice(waiting) if chance else waiting[0]
            if chance is None or chance.random() > 0.3:
                self.take(body)
            assert self.deliver(body), body
        return most

    def resume(self) -> dict[str, Any]:
        return dict(resume_worker.handler({}, object()))


def steps(bodies: Sequence[str]) -> list[Step]:
    return [Step.from_text(body) for body in bodies]
