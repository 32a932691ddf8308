"""The environment of every function, taken from template.yaml before anything of the project is imported."""

from __future__ import annotations

import os
from pathlib import Path

from local import template

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENT = template.load(ROOT / "template.yaml", {"SandboxAllowTargets": "127.0.0.1:1"})


def variables() -> dict[str, str]:
    """All variables of all functions; two functions never give one name different values.

    Raises:
        ValueError: they do.
    """
    merged: dict[str, str] = {}
    for function in DEPLOYMENT.functions:
        for name, value in DEPLOYMENT.environment(function).items():
            if merged.setdefault(name, value) != value:
                raise ValueError(f"{name} means different things to different functions")
    return merged


def set_up(dynamodb_url: str) -> None:
    """Make this process look like a deployed function whose DynamoDB is at `dynamodb_url` and that has no other AWS."""
    os.environ.update(variables())
    os.environ.update(
        {
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_url,
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_REGION": "eu-central-1",
            "AWS_MAX_ATTEMPTS": "1",
        }
    )
