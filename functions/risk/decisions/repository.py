"""Decisions in DynamoDB, and what one batch read brings together to make one (layout of shared rows: `risk.records`).

Which keys that batch needs follows from the rulesets that are active, and these are in the batch: so it is read with
the keys of the rulesets last seen, and read on only where they have changed since. In the steady state a decision is
one batch read and one transaction. The rulesets themselves never change once active and are kept compiled.

A rolling log is written under the condition that nobody wrote it since it was read. So a count is read and increased
in one atomic step: of any number of simultaneous decisions each sees all that came before it, and no two see the same
number.
"""

from __future__ import annotations

import json
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from risk import records, velocity
from risk.decisions.errors import AlreadyResolved, CounterMoved, DecisionNotFound, EventsMoved, NotForReview
from risk.decisions.models import DecisionRecord, notice
from risk.evaluation import EMPTY_RULESET, CompiledRuleset, compile_ruleset
from risk.fields import field_at, value_at
from risk.rules import Rule, unpack
from risk.velocity import Counted, Entry
from tollgate import clock, events
from tollgate.crypto.keyring import Keyring
from tollgate.store.items import Item
from tollgate.store.table import Table
from tollgate.store.transaction import Refusal, Transaction

MOST_COMPILED: Final = 32
MOST_ACCOUNTS_REMEMBERED: Final = 1000
LARGEST_RECORD_BYTES: Final = 300_000
_READS: Final = 5
_MICROSECONDS: Final = 1_000_000
_OWN: Final = ("id", "account_id", "decision", "evaluated_at", "resolution", "resolved_at", "payment_state", "events")


@dataclass(frozen=True, slots=True)
class Log:
    """A rolling log as read; `version` 0 where there is none yet."""

    key: tuple[str, str]
    version: int
    entries: list[Entry]


@dataclass(slots=True)
class Situation:
    """What a decision is made on: the ruleset, the logs by key path, the blacklisted paths, who wants to hear of it
    (recipients by event type)."""

    ruleset: CompiledRuleset
    counted: Mapping[str, Counted]
    logs: dict[str, Log]
    listed: frozenset[str]
    wanted: Mapping[str, Sequence[str]]

    def entry(self, inputs: Mapping[str, Any], now: datetime, outcome: str, digests: Mapping[str, str]) -> Entry:
        transaction = inputs["transaction"]
        at = int(now.timestamp()) * _MICROSECONDS + now.microsecond
        return Entry(at, outcome, transaction["currency"], transaction["amount"], digests)

    def counters(self, current: Entry) -> dict[str, int]:
        """The value of every operand of the ruleset whose key the decision has."""
        return {
            operand.signature: velocity.value_of(operand, self.logs[operand.key].entries, current)
            for operand in self.ruleset.operands
            if operand.key in self.logs
        }


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to read: where the logs are by key path, and the blacklisted field by where its entry would be."""

    ruleset: CompiledRuleset
    counted: dict[str, Counted]
    logs: dict[str, tuple[str, str]]
    entries: dict[tuple[str, str], str]


class DecisionRepository:
    """Decisions of all accounts; every method takes the account, so none can reach into another."""

    def __init__(self, table: Table, keyring: Keyring) -> None:
        self._table = table
        self._keyring = keyring
        self._compiled: OrderedDict[tuple[str, bool], CompiledRuleset] = OrderedDict()
        self._active: OrderedDict[str, Item] = OrderedDict()

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    def begin_amendment(self) -> Transaction:
        """A transaction that writes over what an earlier one of the same request has put."""
        return _Amendment(self._table.client)

    # ------------------------------------------------------------------ reading

    def situation(self, account_id: str, inputs: Mapping[str, Any], *, connect: bool) -> Situation:
        """All that the decision needs, as it is now."""
        found: dict[tuple[str, str], Item | None] = {}
        active_key, webhooks_key = records.active_key(account_id), records.webhooks_key(account_id)
        active: Item = self._active.get(account_id, {})
        plan = self._plan(account_id, active, inputs, connect=connect)
        for _ in range(_READS):
            wanted = {active_key, webhooks_key, *plan.logs.values(), *plan.entries}
            self._read(wanted - found.keys(), found)
            now_active = found[active_key] or {}
            if now_active.get("version", 0) == active.get("version", 0):
                break
            active = self._remember(account_id, now_active)
            plan = self._plan(account_id, active, inputs, connect=connect)
        return Situation(
            ruleset=plan.ruleset,
            counted=plan.counted,
            logs={path: _log(key, found[key]) for path, key in plan.logs.items()},
            listed=frozenset(path for key, path in plan.entries.items() if _is_alive(found[key])),
            wanted=_wanted(found[webhooks_key]),
        )

    def _plan(self, account_id: str, active: Item, inputs: Mapping[str, Any], *, connect: bool) -> _Plan:
        ruleset = self._ruleset(account_id, active, inputs["context"], connect=connect)
        counted = velocity.merged(records.counted_of(active))
        logs = self._log_keys(account_id, inputs, counted)
        entries = self._entry_keys(account_id, inputs, ruleset)
        return _Plan(ruleset, {path: counted[path] for path in logs}, logs, entries)

    def _read(self, keys: set[tuple[str, str]], found: dict[tuple[str, str], Item | None]) -> None:
        if not keys:
            return
        found.update(dict.fromkeys(keys))
        found.update({(item["pk"], item["sk"]): item for item in self._table.batch_get(sorted(keys))})

    def _remember(self, account_id: str, active: Item) -> Item:
        self._active[account_id] = active
        if len(self._active) > MOST_ACCOUNTS_REMEMBERED:
            self._active.popitem(last=False)
        return active

    def _ruleset(self, account_id: str, active: Item, context: str, *, connect: bool) -> CompiledRuleset:
        """The active ruleset of the context, else of `default`, else none."""
        contexts = active.get("contexts", {})
        chosen = contexts.get(context) or contexts.get("default")
        if chosen is None:
            return EMPTY_RULESET
        key = (f"{account_id}/{chosen['id']}", connect)
        if key not in self._compiled:
            item = self._table.get(*records.ruleset_key(account_id, chosen["id"]))
            if item is None:
                return EMPTY_RULESET
            rules = unpack(item["rules"])
            self._compiled[key] = compile_ruleset(chosen["id"], item["version"], rules, connect=connect)
            if len(self._compiled) > MOST_COMPILED:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return self._compiled[key]

    def _log_keys(
        self, account_id: str, inputs: Mapping[str, Any], counted: Mapping[str, Counted]
    ) -> dict[str, tuple[str, str]]:
        """Where the logs of the keys are that this decision has; a missing key has none."""
        values = {path: value_at(inputs, field_at(path)) for path in counted}
        return {
            path: records.counter_key(account_id, path, self.digest(account_id, path, value))
            for path, value in values.items()
            if value is not None
        }

    def _entry_keys(
        self, account_id: str, inputs: Mapping[str, Any], ruleset: CompiledRuleset
    ) -> dict[tuple[str, str], str]:
        """Where the blacklist entries would be that this decision could match."""
        values = {path: value_at(inputs, field_at(path)) for path in ruleset.listed_fields}
        return {
            records.entry_key(account_id, records.entry_id(self._keyring, account_id, path, str(value))): path
            for path, value in values.items()
            if value is not None
        }

    def digest(self, account_id: str, path: str, value: object) -> str:
        """A keyed digest of a value of a field, for keys and distinct counts."""
        return self._keyring.digest(account_id, f"velocity/{path}", str(value).encode())[:32]

    def rules(self, account_id: str, ruleset_id: str) -> tuple[Rule, ...]:
        """The rules that a decision was made by; what was active never changes."""
        item = self._table.get(*records.ruleset_key(account_id, ruleset_id))
        return unpack(item["rules"]) if item else ()

    def find(self, account_id: str, decision_id: str) -> DecisionRecord | None:
        key = records.decision_key(account_id, decision_id)
        item = self._table.get(*key) if key else None
        return record_of(item) if item else None

    # ------------------------------------------------------------------ writing

    def insert(self, transaction: Transaction, record: DecisionRecord) -> None:
        key = records.decision_key(record.account_id, record.id)
        if key is None:
            raise ValueError("a decision's id is a UUIDv7")
        transaction.put(
            self._table, {"pk": key[0], "sk": key[1], **_to_item(record)}, condition="attribute_not_exists(pk)"
        )

    def count(self, transaction: Transaction, path: str, log: Log, entries: list[Entry], wanted: Counted) -> None:
        """Write a log that still is as it was read.

        Raises (at commit):
            CounterMoved: it is not.
        """
        item = {
            "pk": log.key[0],
            "sk": log.key[1],
            "version": log.version + 1,
            "log": velocity.dump(entries),
            "expires": clock.epoch() + wanted.window_seconds + 1,
        }
        transaction.put(
            self._table, item,
            condition="version = :version" if log.version else "attribute_not_exists(pk)",
            values={":version": log.version} if log.version else None,
            refusal=lambda now: CounterMoved(path, now),
        )  # fmt: skip

    def wanted(self, account_id: str) -> Mapping[str, Sequence[str]]:
        """Who wants to hear of which events of the account's decisions: recipients by event type."""
        return _wanted(self._table.get(*records.webhooks_key(account_id)))

    def announce(
        self,
        transaction: Transaction,
        record: DecisionRecord,
        event_type: str,
        wanted: Mapping[str, Sequence[str]],
    ) -> None:
        """Tell every webhook that wants to hear of it: which decision, not what is in it."""
        for recipient in wanted.get(event_type, ()):
            events.announce(
                transaction, self._table,
                account_id=recipient, event_type=event_type, subject=record.id, payload=notice(record, event_type),
            )  # fmt: skip

    def append_event(
        self, transaction: Transaction, record: DecisionRecord, entry: Mapping[str, Any], payment_state: str | None
    ) -> None:
        """Add a lifecycle event to a decision that still has the events it was read with.

        Raises (at commit):
            EventsMoved: it has another one by now.
        """
        key = records.decision_key(record.account_id, record.id)
        if key is None:
            raise DecisionNotFound
        transaction.update(
            self._table, *key,
            "SET events = list_append(events, :new)" + (", payment_state = :state" if payment_state else ""),
            condition="size(events) = :seen",
            values={
                ":new": [dict(entry)], ":seen": len(record.events),
                **({":state": payment_state} if payment_state else {}),
            },
            refusal=lambda _: EventsMoved(),
        )  # fmt: skip

    def resolve(self, transaction: Transaction, record: DecisionRecord, resolution: str, at: str) -> None:
        """End a review, once."""
        key = records.decision_key(record.account_id, record.id)
        if key is None:
            raise DecisionNotFound
        transaction.update(
            self._table, *key, "SET resolution = :resolution, resolved_at = :at",
            condition="decision = :review AND attribute_not_exists(resolution)",
            values={":resolution": resolution, ":at": at, ":review": "REVIEW"},
            refusal=_unresolvable,
        )  # fmt: skip

    def settle(self, transaction: Transaction, before: DecisionRecord, after: DecisionRecord) -> None:
        """Put what the backends that were put off have said in the record; what others may change is left as it is.
        That it happens once is for the row of work to see to, which ends in the same transaction.

        Raises (at commit):
            DecisionNotFound: it is not there as `before` any more.
        """
        key = records.decision_key(before.account_id, before.id)
        if key is None:
            raise DecisionNotFound
        transaction.update(
            self._table, *key, "SET decision = :after, #record = :record",
            names={"#record": "record"}, condition="decision = :before",
            values={":after": after.decision, ":record": _to_item(after)["record"], ":before": before.decision},
            refusal=lambda _: DecisionNotFound(),
        )  # fmt: skip


class _Amendment(Transaction):
    """Its puts need no room: they take the place of what stands there."""

    def put(
        self,
        table: Table,
        item: Mapping[str, Any],
        *,
        condition: str | None = None,  # noqa: ARG002 -- what the first transaction had to hold
        values: Mapping[str, Any] | None = None,  # noqa: ARG002
        refusal: Refusal | None = None,  # noqa: ARG002
    ) -> None:
        super().put(table, item)


def _unresolvable(item: Item) -> Exception:
    if not item:
        return DecisionNotFound()
    return AlreadyResolved() if item.get("resolution") else NotForReview()


def moved(log: Log, item: Item) -> Log:
    """The log as another decision left it."""
    return _log(log.key, item or None)


def _log(key: tuple[str, str], item: Item | None) -> Log:
    return Log(key, item["version"], velocity.load(item["log"])) if item else Log(key, 0, [])


def _wanted(item: Item | None) -> Mapping[str, Sequence[str]]:
    wanted: Mapping[str, Sequence[str]] = (item or {}).get("wanted", {})
    return wanted


def _is_alive(entry: Item | None) -> bool:
    """Whether a blacklist entry counts: one that has ended does not, whether or not it was swept yet."""
    return entry is not None and entry.get("expires", clock.epoch() + 1) > clock.epoch()


def _to_item(record: DecisionRecord) -> Item:
    rest = {each.name: getattr(record, each.name) for each in fields(record) if each.name not in _OWN}
    packed = _pack(rest)
    if len(packed) > LARGEST_RECORD_BYTES:  # explanations of hundreds of rules; the decision itself is small
        packed = _pack({**rest, "triggered_rules": [{**each, "matched": None} for each in record.triggered_rules]})
    return {**{name: getattr(record, name) for name in _OWN}, "record": packed}


def _pack(members: Mapping[str, Any]) -> bytes:
    return zlib.compress(json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode(), 1)


def members_of(packed: bytes) -> dict[str, Any]:
    """The members of a stored decision that never change."""
    members: dict[str, Any] = json.loads(zlib.decompress(packed))
    return members


def record_of(item: Item) -> DecisionRecord:
    """A stored decision."""
    members = members_of(item["record"])
    own: dict[str, Any] = {name: item[name] for name in _OWN if name in item}
    return DecisionRecord(**(members | own))


def digests_of(
    repository: DecisionRepository, account_id: str, inputs: Mapping[str, Any], paths: tuple[str, ...]
) -> dict[str, str]:
    """Digests of the values that a log has to tell apart."""
    values = {path: value_at(inputs, field_at(path)) for path in paths}
    return {path: repository.digest(account_id, path, v)[:16] for path, v in values.items() if v is not None}
