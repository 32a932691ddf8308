"""Every rule finds what it is for, and leaves the right way of doing the same alone."""

from __future__ import annotations

import pytest

from tests.architecture import edges, rules
from tests.architecture.code_base import FUNCTIONS, SHARED, Module
from tests.architecture.rules import Rule

DOCSTRING = '"""What it is for."""\n'
LONG_FUNCTION = "def long():\n" + "    pass\n" * (rules.LONGEST_FUNCTION - 1)


def module(name: str, source: str) -> Module:
    """A module that is nowhere on disk, at the place its name says."""
    root = SHARED if name.startswith("tollgate") else FUNCTIONS
    made = Module(root.joinpath(*name.split(".")).with_suffix(".py"), name)
    made.__dict__["source"] = source
    return made


BAD = [
    (rules.imports_point_one_way, "vault.tokens.service", "from vault.tokens import handler"),
    (rules.imports_point_one_way, "vault.tokens.service", "def f():\n    from vault.tokens.handler import App"),
    (rules.imports_point_one_way, "vault.tokens.rules", "from vault.tokens.repository import TokenRepository"),
    (rules.imports_point_one_way, "vault.tokens.errors", "import vault.tokens.models"),
    (rules.imports_point_one_way, "vault.tokens.service", "from vault.tokens.public import X"),
    (rules.known_part_of_a_group, "vault.tokens.stuff", ""),
    (rules.other_groups_through_public, "vault.merchants.service", "from vault.tokens.public import X"),
    (rules.other_groups_through_public, "control.sandbox.service", "from control.provisioning.service import X"),
    (rules.other_groups_through_public, "control.sandbox.models", "from control.provisioning.public import X"),
    (rules.other_groups_through_public, "tollgate.events", "from control.provisioning.public import X"),
    (rules.card_zone_is_closed, "control.relay.worker", "from vault.tokens.public import X"),
    (rules.card_zone_is_closed, "payments.transactions.service", "from vault import cards"),
    (rules.card_zone_is_closed, "tollgate.events", "import vault.cards"),
    (rules.families_keep_apart, "threeds.authentications.service", "from vault import cards"),
    (rules.no_relative_imports, "vault.tokens.service", "from . import models"),
    (rules.only_repositories_speak_dynamodb, "vault.tokens.service", "from tollgate.store.table import Table"),
    (rules.only_repositories_speak_dynamodb, "vault.tokens.rules", "from tollgate import aws"),
    (rules.only_repositories_speak_dynamodb, "vault.tokens.handler", "_t = Table('n', c)\n_t.put({})"),
    (rules.only_repositories_speak_dynamodb, "vault.tokens.handler", "Table('n', c).get('a', 'b')"),
    (rules.only_repositories_speak_dynamodb, "vault.tokens.handler", "aws.dynamodb().get_item()"),
    (rules.doors_keep_http_to_themselves, "vault.tokens.service", "from tollgate.http.message import Request"),
    (rules.sdk_stays_in_the_shared_layer, "vault.tokens.repository", "from botocore.exceptions import ClientError"),
    (rules.sdk_stays_in_the_shared_layer, "tollgate.aws", "import boto3"),
    (rules.time_comes_from_the_clock, "vault.tokens.service", "from datetime import datetime\ndatetime.now(UTC)"),
    (rules.time_comes_from_the_clock, "tollgate.events", "import datetime as d\nd.datetime.utcnow()"),
    (rules.time_comes_from_the_clock, "tollgate.events", "from time import time\ntime()"),
    (rules.chance_comes_from_ids, "vault.tokens.service", "import uuid\nuuid.uuid4()"),
    (rules.chance_comes_from_ids, "vault.tokens.service", "from random import choice\nchoice([1])"),
    (rules.chance_comes_from_ids, "vault.tokens.service", "import secrets\nsecrets.token_hex()"),
    (rules.chance_comes_from_ids, "vault.tokens.rules", "import os\nos.urandom(16)"),
    (rules.environment_comes_from_config, "vault.tokens.handler", "import os\nos.environ['X']"),
    (rules.environment_comes_from_config, "tollgate.log", "from os import getenv\ngetenv('X')"),
    (rules.money_is_never_float, "payments.refunds.rules", "fee = 0.5"),
    (rules.money_is_never_float, "payments.refunds.rules", "fee = float('1')"),
    (rules.money_is_never_float, "payments.refunds.models", "amount: float"),
    (rules.names_say_something, "vault.tokens.utils", ""),
    (rules.names_say_something, "vault.common.service", ""),
    (rules.names_say_something, "vault.tokens.service", "class TokenManager: ..."),
    (rules.says_what_it_is_for, "vault.tokens.service", "x = 1"),
    (rules.fits_on_the_page, "vault.tokens.service", LONG_FUNCTION + "    pass\n"),
    (rules.fits_on_the_page, "vault.tokens.service", "x = 1\n" * (rules.LONGEST_MODULE + 1)),
]

GOOD = [
    (rules.imports_point_one_way, "vault.tokens.service", "from vault.tokens.repository import TokenRepository"),
    (rules.imports_point_one_way, "vault.tokens.repository", "from vault.tokens import models"),
    (rules.imports_point_one_way, "vault.tokens.handler", "from vault.tokens import errors"),
    (rules.known_part_of_a_group, "vault.imports.clients.stripe", ""),
    (rules.known_part_of_a_group, "vault.imports.settle_worker", ""),
    (rules.other_groups_through_public, "control.sandbox.handler", "from control.provisioning.public import X"),
    (rules.card_zone_is_closed, "threeds.authentications.service", "from vault import cards"),
    (rules.card_zone_is_closed, "control.health.handler", "from tollgate.dialects.vault import VAULT"),
    (rules.families_keep_apart, "vault.tokens.service", "from vault import cards"),
    (rules.only_repositories_speak_dynamodb, "vault.tokens.repository", "from tollgate.store.table import Table"),
    (rules.only_repositories_speak_dynamodb, "vault.tokens.handler", "_t = Table('n', c)\nRepository(_t).put({})"),
    (rules.doors_keep_http_to_themselves, "vault.tokens.handler", "from tollgate.http.message import Request"),
    (rules.sdk_stays_in_the_shared_layer, "tollgate.aws", "import botocore.session"),
    (rules.time_comes_from_the_clock, "vault.tokens.service", "from tollgate import clock\nclock.now()"),
    (rules.time_comes_from_the_clock, "tollgate.http.app", "import time\ntime.perf_counter()"),
    (rules.time_comes_from_the_clock, "tollgate.clock", "from datetime import datetime\ndatetime.now()"),
    (rules.chance_comes_from_ids, "tollgate.crypto.keyring", "import os\nos.urandom(12)"),
    (rules.environment_comes_from_config, "tollgate.config", "import os\nos.environ['X']"),
    (rules.money_is_never_float, "payments.refunds.rules", "fee = 5 // 2"),
    (rules.names_say_something, "vault.tokens.service", "class TokenService: ..."),
    (rules.says_what_it_is_for, "vault.tokens.service", DOCSTRING),
    (rules.says_what_it_is_for, "vault", ""),
    (rules.fits_on_the_page, "vault.tokens.service", LONG_FUNCTION),
]


@pytest.mark.parametrize(("rule", "name", "source"), BAD)
def test_rule_complains(rule: Rule, name: str, source: str) -> None:
    assert list(rule(module(name, source)))


@pytest.mark.parametrize(("rule", "name", "source"), GOOD)
def test_rule_is_content(rule: Rule, name: str, source: str) -> None:
    assert list(rule(module(name, source))) == []


def test_every_rule_is_shown_to_bite() -> None:
    assert {rule for rule, _, _ in BAD} == {*rules.STRUCTURE, *rules.MONEY, *rules.WRITING}


def test_exemptions_name_rules() -> None:
    known = {rule.__name__ for rule in (*rules.STRUCTURE, *rules.MONEY, *rules.WRITING)}
    assert {rule for rule, _ in edges.EXEMPTIONS} <= known
