"""What tests of imports share: a caller, and the queue's worker driven by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.http import Merchant
from tests.support.objects import FakeS3
from tests.support.queues import FakeSqs
from tests.vault.imports.driving import Importer
from vault.imports.handler import handler


@pytest.fixture
def importer(make_merchant: Callable[..., Merchant], sqs: FakeSqs, s3: FakeS3) -> Importer:
    """A merchant with an account of its own, and the queue."""
    return Importer(make_merchant(handler), sqs, s3)


@pytest.fixture
def stranger(make_merchant: Callable[..., Merchant], sqs: FakeSqs, s3: FakeS3) -> Importer:
    """Another merchant."""
    return Importer(make_merchant(handler), sqs, s3)
