"""Answers with the event it got and the environment it has."""

from __future__ import annotations

import os

from sample_layer import Event, answer


def handler(event: Event, context: object) -> Event:
    names = ("JOINED", "CHOSEN", "ABSENT_OR_TABLE", "ENVIRONMENT", "ALLOWED", "AWS_LAMBDA_FUNCTION_NAME", "TZ")
    return answer(200, {"event": event, "environment": {name: os.environ.get(name) for name in names}})


def health(event: Event, context: object) -> Event:
    return answer(200, {"status": "ok"})
