"""Holds the whole suite to the template's grants, in both directions; pytest finds its hooks through tests/conftest.py.

A test fails that let a door make a call it was not granted. A run of the whole suite lists the grants that no test
needed: then either the grant is too much or a test is missing. A part of the suite cannot know that and does not ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.architecture import edges
from tests.support.environment import DEPLOYMENT
from tests.support.policies import Grant
from tests.support.recorder import Recorder
from tollgate import aws

RECORDER = Recorder(DEPLOYMENT)

_SERVICES = {"dynamodb": "dynamodb", "kms": "kms", "sqs": "sqs", "s3": "s3", "lambda_": "lambda"}
_WORKER_OUTPUT = "used_grants"
_used_by_workers: set[Grant] = set()


def install() -> None:
    """Watch every client that the doors will be given; call it before the first of them is imported."""
    RECORDER.watch(aws.session())
    for factory, service in _SERVICES.items():
        made = getattr(aws, factory)
        if not hasattr(made, "cache_info"):  # not the real factory: a stand-in of the test session
            setattr(aws, factory, partial(RECORDER.watched, service, made()))


@pytest.fixture(autouse=True)
def _only_what_is_granted() -> Iterator[None]:
    before = len(RECORDER.refused)
    yield
    refused = RECORDER.refused[before:]
    assert not refused, "\n".join(f"{each.function} may not {each.action} on {each.resource}" for each in refused)


class Permissions:
    """The hooks; registered once per process."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of a parallel run has ended: take over what its tests used."""
        _used_by_workers.update(Grant(*each) for each in getattr(node, "workeroutput", {}).get(_WORKER_OUTPUT, []))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_WORKER_OUTPUT] = [(each.function, each.action, each.resource) for each in RECORDER.used]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if _is_whole(terminalreporter.config) and self._unused():
            terminalreporter.section("Grants of template.yaml that no test needed", red=True)
            for grant in self._unused():
                terminalreporter.line(f"{grant.function}: {grant.action} on {grant.resource}")

    def _unused(self) -> list[Grant]:
        exempt = {Grant(*each) for each in edges.UNPROVEN_GRANTS}
        return [each for each in RECORDER.unused(RECORDER.used | _used_by_workers) if each not in exempt]


def _is_whole(config: pytest.Config) -> bool:
    """Whether this run takes in every test: no folder named, nothing selected, nothing cut short."""
    chosen = config.invocation_params.args
    named = [arg for arg in config.args if arg not in config.getini("testpaths")]
    selected = any(
        config.getoption(name, None) for name in ("keyword", "markexpr", "lf", "ff", "maxfail", "collectonly")
    )
    return not named and not selected and "--deselect" not in " ".join(map(str, chosen))
