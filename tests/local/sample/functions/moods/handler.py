"""Fails, or answers strangely, in the way that the path asks for."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable

from sample_layer import Event, answer


def _raise() -> Event:
    raise ValueError("a secret of the function")


def _sleep() -> Event:
    time.sleep(5)
    return answer(200, "too late")


def _exit() -> Event:
    os._exit(3)


MOODS: dict[str, Callable[[], object]] = {
    "raise": _raise,
    "sleep": _sleep,
    "exit": _exit,
    "pid": lambda: answer(200, os.getpid()),
    "plain": lambda: {"hello": "world"},
    "text": lambda: "just text",
    "nothing": lambda: None,
    "cookies": lambda: {"statusCode": 200, "cookies": ["a=1; Path=/", "b=2"], "body": "ok"},
    "binary": lambda: {
        "statusCode": 200,
        "headers": {"content-type": "image/png"},
        "body": base64.b64encode(bytes(range(256))).decode(),
        "isBase64Encoded": True,
    },
    "empty": lambda: {"statusCode": 204},
    "redirect": lambda: {"statusCode": 302, "headers": {"Location": "/elsewhere", "X-Count": 7}},
    "status": lambda: {"statusCode": "no number"},
    "body": lambda: {"statusCode": 200, "body": {"not": "text"}},
    "header": lambda: {"statusCode": 200, "headers": {"x-split": "a\r\nset-cookie: stolen=1"}},
    "large": lambda: {"statusCode": 200, "body": "x" * (7 * 1024 * 1024)},
    "megabyte": lambda: {"statusCode": 200, "body": "y" * 1_000_000},
}


def handler(event: Event, context: object) -> object:
    path = event.get("pathParameters", {})
    return MOODS[path.get("mood", "raise")]()
