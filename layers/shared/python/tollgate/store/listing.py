"""Lists with page numbers and totals that cost the same at 100 objects and at 100,000.

DynamoDB has no offset and no count. This keeps, in the transaction that adds, moves or removes an object, a tree of
counts over the sequence in which objects came: a page number or a total is a walk down three levels, never a read up to
the page. Filters are *facets* (one short code per object, such as scheme and status): every node also counts by facet,
and every facet has rows of its own, so a filtered page reads only what it shows.

Access patterns (`pk`, `sk`; L = `LIST#<owner>#<name>`):
    next sequence number                       `L`,           `#`
    rows in order of creation                  `L#R`,         `<sequence>`
    rows of one facet in that order            `L#F#<facet>`, `<sequence>`
    counts of 64^level sequence numbers each   `L#<level>`,   `<sequence // 64^level>`, level 1 to 3

A sequence number is taken first (one atomic update that also makes `created_at` never run backwards), the rows and
counts are written with the object. A number whose transaction failed stays unused and is counted nowhere, so it costs
nothing.

Bounds: 64^4 = 16.7 million objects of an owner keep the cost stated here; beyond, the top level grows by one row per
262,144 objects. Adding is serialised per owner by the shared count rows (retried by the transaction writer).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tollgate import clock
from tollgate.store.items import Item
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction

FAN_OUT = 64
LEVELS = 3
_WIDTH = 12


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in an owner's list: the sequence number and the creation time that goes with it."""

    sequence: int
    created_at: str


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page and how many objects match in all."""

    rows: list[Item]
    total: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What a caller asked to see. `facets` None means all; times are inclusive."""

    limit: int
    page: int
    descending: bool = True
    facets: frozenset[str] | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


class Listing:
    """One kind of object, listed per owner."""

    def __init__(self, table: Table, name: str) -> None:
        self._table = table
        self._name = name

    # ------------------------------------------------------------------ writing

    def allocate(self, owner: str, count: int = 1) -> list[Slot]:
        """Take `count` consecutive slots at the present time, or at the last one given if that is later."""
        count_only = "ADD next_sequence :count"
        try:
            after = self._table.update(
                self._root(owner), "#", f"SET last_at = :at {count_only}",
                values={":at": _stamp(clock.now()), ":count": count},
                condition="attribute_not_exists(last_at) OR last_at <= :at",
            )  # fmt: skip
        except ConditionFailed:
            # Another writer's clock is ahead of ours: stand behind it, at its time.
            after = self._table.update(self._root(owner), "#", count_only, values={":count": count})
        end = after["next_sequence"]
        return [Slot(sequence, after["last_at"]) for sequence in range(end - count, end)]

    def add(self, transaction: Transaction, owner: str, entries: Iterable[tuple[Slot, str, Mapping[str, Any]]]) -> None:
        """Add objects (slot, facet, row) to the list, together: the count rows are written once for all."""
        changes: dict[tuple[int, int], dict[str, int]] = {}
        first_at: dict[tuple[int, int], str] = {}
        for slot, facet, row in entries:
            self._put_rows(transaction, owner, slot.sequence, facet, {**row, "created_at": slot.created_at})
            for node in _nodes(slot.sequence):
                counts = changes.setdefault(node, {})
                counts["n"] = counts.get("n", 0) + 1
                counts[f"f_{facet}"] = counts.get(f"f_{facet}", 0) + 1
                first_at.setdefault(node, slot.created_at)
        for node, counts in changes.items():
            self._count(transaction, owner, node, counts, first_at[node])

    def move(
        self, transaction: Transaction, owner: str, sequence: int, row: Mapping[str, Any], before: str, after: str
    ) -> None:
        """Rewrite an object's row, under another facet if that changed. The caller holds the object's version."""
        self._put_rows(transaction, owner, sequence, after, row)
        if before == after:
            return
        transaction.delete(self._table, self._facet_rows(owner, before), _key(sequence))
        for node in _nodes(sequence):
            self._count(transaction, owner, node, {f"f_{before}": -1, f"f_{after}": 1})

    def remove(self, transaction: Transaction, owner: str, sequence: int, facet: str) -> None:
        """Take an object off the list. The caller makes sure, by a condition, that this happens once."""
        transaction.delete(self._table, self._rows(owner), _key(sequence))
        transaction.delete(self._table, self._facet_rows(owner, facet), _key(sequence))
        for node in _nodes(sequence):
            self._count(transaction, owner, node, {"n": -1, f"f_{facet}": -1})

    def _put_rows(
        self, transaction: Transaction, owner: str, sequence: int, facet: str, row: Mapping[str, Any]
    ) -> None:
        for partition in (self._rows(owner), self._facet_rows(owner, facet)):
            transaction.put(self._table, {**row, "pk": partition, "sk": _key(sequence)})

    def _count(
        self,
        transaction: Transaction,
        owner: str,
        node: tuple[int, int],
        counts: Mapping[str, int],
        first_at: str | None = None,
    ) -> None:
        level, index = node
        names = {f"#c{n}": name for n, name in enumerate(counts)}
        values: dict[str, Any] = {f":c{n}": change for n, change in enumerate(counts.values())}
        expression = "ADD " + ", ".join(f"#c{n} :c{n}" for n in range(len(counts)))
        if first_at is not None:
            values[":at"] = first_at
            expression = f"SET first_at = if_not_exists(first_at, :at) {expression}"
        transaction.update(self._table, self._level(owner, level), _key(index), expression, values=values, names=names)

    # ------------------------------------------------------------------ reading

    def page(self, owner: str, selection: Selection, project: Sequence[str] = ()) -> Page:
        """The rows of one page, in order of creation or its reverse, and the number of all that match.

        `project` names the attributes wanted of each row; none means all.
        """
        counted = _Counted(self, owner, selection.facets)
        low, high = 0, counted.total()
        if selection.created_from is not None:
            low = counted.rank_at(_stamp(selection.created_from))
        if selection.created_to is not None:
            high = counted.rank_at(_stamp(selection.created_to + timedelta(microseconds=1)))
        total = max(high - low, 0)
        start = (selection.page - 1) * selection.limit
        if start >= total:
            return Page([], total)
        wanted = min(selection.limit, total - start)
        rank = high - 1 - start if selection.descending else low + start
        return Page(self._read(counted, rank, wanted, selection, project), total)

    def rows_after(self, owner: str, sequence: int, limit: int) -> list[Item]:
        """Up to `limit` rows behind a sequence number, in the order of creation: to go through all, however many."""
        return self._table.query(self._rows(owner), low=_key(sequence + 1), limit=limit)

    def rows_through(self, owner: str, sequence: int, project: Sequence[str]) -> Iterator[Item]:
        """Every row up to a sequence number in the order of creation, members of `project` only, page by page."""
        return self._table.scan_partition(self._rows(owner), high=_key(sequence), project=project)

    def last_sequence(self, owner: str) -> int:
        """The last sequence number given out, whether or not its object came to be; -1 when none was."""
        root = self._table.get(self._root(owner), "#")
        return int(root["next_sequence"]) - 1 if root else -1

    def _read(
        self, counted: _Counted, rank: int, wanted: int, selection: Selection, project: Sequence[str]
    ) -> list[Item]:
        """`wanted` rows from the one with this rank on, in the order asked for."""
        backwards = selection.descending
        at_the_end = rank == counted.total() - 1 if backwards else rank == 0
        edge, skip = (None, 0) if at_the_end else counted.locate(rank, from_end=backwards)
        rows = self._merge(counted.partitions(), edge, skip + wanted, backwards, project)
        return rows[skip : skip + wanted]

    def _merge(
        self, partitions: Sequence[str], edge: int | None, count: int, backwards: bool, project: Sequence[str]
    ) -> list[Item]:
        """The first `count` rows of several partitions by sequence, from `edge` on."""
        low = None if edge is None or backwards else _key(edge)
        high = None if edge is None or not backwards else _key(edge)
        wanted = [*project, "sk"] if project and len(partitions) > 1 else project
        runs = [
            self._table.query(partition, low=low, high=high, limit=count, descending=backwards, project=wanted)
            for partition in partitions
        ]
        if len(runs) == 1:
            return runs[0]
        merged = heapq.merge(*runs, key=lambda row: str(row["sk"]), reverse=backwards)
        return [row for row, _ in zip(merged, range(count), strict=False)]

    # ------------------------------------------------------------------ keys

    def _root(self, owner: str) -> str:
        return f"LIST#{owner}#{self._name}"

    def _rows(self, owner: str) -> str:
        return f"{self._root(owner)}#R"

    def _facet_rows(self, owner: str, facet: str) -> str:
        return f"{self._root(owner)}#F#{facet}"

    def _level(self, owner: str, level: int) -> str:
        return f"{self._root(owner)}#{level}"


class _Counted:
    """The tree of counts of one owner, seen through a choice of facets. Reads each level at most once per walk."""

    def __init__(self, listing: Listing, owner: str, facets: frozenset[str] | None) -> None:
        self._listing = listing
        self._owner = owner
        self._facets = facets
        self._top = self._children(LEVELS, None)

    def total(self) -> int:
        return sum(self._size(node) for node in self._top)

    def partitions(self) -> list[str]:
        """Where the chosen rows lie: one partition for all, or those of the facets that have any."""
        if self._facets is None:
            return [self._listing._rows(self._owner)]
        present = [facet for facet in sorted(self._facets) if any(node.get(f"f_{facet}", 0) for node in self._top)]
        return [self._listing._facet_rows(self._owner, facet) for facet in present]

    def locate(self, rank: int, *, from_end: bool) -> tuple[int, int]:
        """The edge (a sequence number) of the leaf that holds this rank, and how many rows to skip from that edge."""
        remaining = self.total() - 1 - rank if from_end else rank
        nodes, index = self._top, 0
        for level in range(LEVELS, 0, -1):
            for node in reversed(nodes) if from_end else nodes:
                size = self._size(node)
                if remaining < size:
                    break
                remaining -= size
            index = int(node["sk"])
            if level > 1:
                nodes = self._children(level - 1, index)
        edge = index * FAN_OUT + (FAN_OUT - 1 if from_end else 0)
        return edge, remaining

    def rank_at(self, stamp: str) -> int:
        """How many chosen objects were created before `stamp`."""
        before, nodes, index = 0, self._top, 0
        for level in range(LEVELS, 0, -1):
            earlier = [node for node in nodes if str(node["first_at"]) < stamp]
            if not earlier:
                return before
            # A node's `first_at` may be a little late (two writers raced for it): the boundary lies in the last node
            # that began before it or shortly behind, which is why the rows are read on beyond the leaf.
            before += sum(self._size(node) for node in earlier[:-1])
            index = int(earlier[-1]["sk"])
            if level > 1:
                nodes = self._children(level - 1, index)
        return before + self._rows_before(index * FAN_OUT, stamp)

    def _rows_before(self, sequence: int, stamp: str) -> int:
        count = 0
        for partition in self.partitions():
            rows = self._listing._table.scan_partition(
                partition, low=_key(sequence), project=("sk", "created_at"), limit=2 * FAN_OUT
            )
            for row in rows:
                if str(row["created_at"]) >= stamp:
                    break
                count += 1
        return count

    def _children(self, level: int, parent: int | None) -> list[Item]:
        low = high = None
        if parent is not None:
            low, high = _key(parent * FAN_OUT), _key(parent * FAN_OUT + FAN_OUT - 1)
        counts = ["n"] if self._facets is None else [f"f_{facet}" for facet in sorted(self._facets)]
        return self._listing._table.query(
            self._listing._level(self._owner, level), low=low, high=high, project=["sk", "first_at", *counts]
        )

    def _size(self, node: Mapping[str, Any]) -> int:
        if self._facets is None:
            return int(node.get("n", 0))
        return sum(int(node.get(f"f_{facet}", 0)) for facet in self._facets)


def _nodes(sequence: int) -> list[tuple[int, int]]:
    return [(level, sequence // FAN_OUT**level) for level in range(1, LEVELS + 1)]


def _key(number: int) -> str:
    return f"{number:0{_WIDTH}d}"


def _stamp(moment: datetime) -> str:
    """UTC to the microsecond, in a width that sorts as text."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
