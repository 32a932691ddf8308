"""Objects in DynamoDB: keys, items, index rows, conditions.

Access patterns (`pk`, `sk`; S = scope and kind, `S<space>#customer`; the scope of a child goes on with its parent,
`S<space>#customer=<id>`):
    an object by id; a kind in order of creation      `S`,                        `<id, 16 digits>`
    ids with a value of an indexed property           `S#<property>=<value>`,     `<id, 16 digits>`
    the one object with a unique value                `S#unique#<property>`,      `<value>`

    what of a long object does not fit into its item  `S#more`,                   `<id>#<version>#<n>`

An object is one item: `doc` is the JSON text of its properties, `version` and `state` stand beside it for conditions.
Index and unique rows are written in the transaction that writes the object, so a search never lags behind. A text
longer than an item may be is deflated (`doc` is bytes then); what still does not fit goes on in further rows (`more`
says how many), which are written and removed with it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from payments.engine import documents, statics
from payments.engine.declarations import Resource, inner_type
from payments.engine.errors import AlreadyThere, ExternalIdReused, ObjectNotFound, ValueTaken, VersionConflict
from payments.engine.fields import Link, Many
from payments.engine.models import Entity, Page, Place
from tollgate.errors import Contended, Invalid, TooLarge
from tollgate.store.items import Item
from tollgate.store.table import BATCH_GET_LIMIT, Table
from tollgate.store.transaction import Refusal, Transaction

LONGEST_DOCUMENT: Final = 6_000_000
_LONGEST_PIECE: Final = 350_000
_LONGEST_VALUE: Final = 300
_READS: Final = 5
_OWN: Final = frozenset({"pk", "sk", "doc", "version", "state", "more"})

Wanted = tuple[Resource, str, int]
"""(resource, scope, id)."""


class IdTaken(Exception):
    """Another process made the same id; take a new one."""


class Objects:
    """Objects of all kinds in one table. Every method takes the scope, so none can reach into another."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def begin(self) -> Transaction:
        return Transaction(self.table.client)

    # ------------------------------------------------------------------ reading

    def find(self, resource: Resource, scope: str, object_id: int) -> Entity | None:
        if resource.data is not None:
            return statics.objects_of(resource).get(object_id)
        for _ in range(_READS):
            item = self.table.get(partition(resource, scope), key(object_id))
            if not item:
                return None
            if self._complete(item):
                return from_item(resource, scope, item)
        raise Contended

    def read(self, resource: Resource, scope: str, object_id: int) -> Entity:
        """Raises:
        ObjectNotFound: there is none.
        """
        found = self.find(resource, scope, object_id)
        if found is None:
            raise ObjectNotFound
        return found

    def find_many(self, wanted: Iterable[Wanted]) -> dict[tuple[str, int], Entity]:
        """The objects that are there, by kind and id; one round trip per hundred, whatever their kinds."""
        found: dict[tuple[str, int], Entity] = {}
        sought: dict[tuple[str, str], Wanted] = {}
        for resource, scope, object_id in wanted:
            if resource.data is not None:
                static = statics.objects_of(resource).get(object_id)
                if static is not None:
                    found[resource.kind, object_id] = static
            elif 0 < object_id < 10**16:
                sought[partition(resource, scope), key(object_id)] = (resource, scope, object_id)
        keys = list(sought)
        for start in range(0, len(keys), BATCH_GET_LIMIT):
            for item in self.table.batch_get(keys[start : start + BATCH_GET_LIMIT]):
                resource, scope, object_id = sought[item["pk"], item["sk"]]
                entity = self._whole(resource, scope, item)
                if entity is not None:
                    found[resource.kind, object_id] = entity
        return found

    def by_unique(self, resource: Resource, scope: str, field: str, value: str) -> Entity | None:
        """The object that has this value of a unique property."""
        row = self.table.get(f"{partition(resource, scope)}#unique#{field}", unique_value(field, value))
        return self.find(resource, scope, int(row["id"])) if row else None

    def page(
        self, resource: Resource, scope: str, limit: int, after: int | None, before: int | None, descending: bool
    ) -> Page:
        """A page behind `after`, or the nearest one in front of `before` in the order asked for.

        The bounds need not exist. With both, the first page of the range between them.
        """
        low, high = (before, after) if descending else (after, before)
        from_end = after is None and before is not None
        backwards = descending != from_end
        found = list(self.walk(resource, scope, _above(low), _below(high), backwards, limit + 1))
        has_more = len(found) > limit
        found = found[:limit]
        return Page(found[::-1] if from_end else found, has_more)

    def walk(
        self, resource: Resource, scope: str, low: int, high: int, descending: bool, limit: int | None = None
    ) -> Iterator[Entity]:
        """Objects of a kind with ids in [low, high], in the order of their ids."""
        if low > high:
            return
        if resource.data is not None:
            found = [each for each in statics.objects_of(resource).values() if low <= each.id <= high]
            yield from (found[::-1] if descending else found)[:limit]
            return
        items = self.table.scan_partition(
            partition(resource, scope), low=key(low), high=key(high), limit=limit, descending=descending
        )
        for item in items:
            entity = self._whole(resource, scope, item)
            if entity is not None:
                yield entity

    def _whole(self, resource: Resource, scope: str, item: Item) -> Entity | None:
        """The object of an item, read anew where its further rows have gone on to another version."""
        return from_item(resource, scope, item) if self._complete(item) else self.find(resource, scope, int(item["sk"]))

    def _complete(self, item: Item) -> bool:
        """Put the text of a long object together; False when its further rows are of another version."""
        if "more" not in item:
            return True
        rows = self.table.query(f"{item['pk']}#more", prefix=f"{item['sk']}#{item['version']}#")
        item["doc"] += type(item["doc"])().join(row["text"] for row in rows)
        return len(rows) == int(item["more"])

    def ids(  # noqa: PLR0917 -- whose, which of them and in what order
        self, resource: Resource, scope: str, term: tuple[str, str] | None, low: int, high: int, descending: bool,
        limit: int | None = None,
    ) -> Iterator[int]:  # fmt: skip
        """Ids in [low, high] in order: of the objects whose property has a value (in index form), or of all."""
        if low > high or resource.data is not None:
            yield from (each.id for each in self.walk(resource, scope, low, high, descending, limit))
            return
        pk = partition(resource, scope)
        if term is not None:
            pk = f"{pk}#{term[0]}={term[1]}"
        rows = self.table.scan_partition(
            pk, low=key(low), high=key(high), limit=limit, descending=descending, project=("sk",)
        )
        for row in rows:
            yield int(row["sk"])

    # ------------------------------------------------------------------ writing

    def insert(self, transaction: Transaction, entity: Entity, digest: str = "") -> None:
        """A new object, with its index and unique rows. `digest` tells whether a repeated external id comes with the
        same content; the commit then raises AlreadyThere, or ExternalIdReused."""
        item, more = to_items(entity)
        transaction.put(self.table, item, condition="attribute_not_exists(pk)", refusal=lambda _: IdTaken())
        for row in more:
            transaction.put(self.table, row)  # fmt: skip
        for name in entity.resource.unique:
            if entity.values.get(name) is not None:
                self._claim(transaction, entity, name, digest)
        for pk in index_partitions(entity):
            transaction.put(self.table, {"pk": pk, "sk": key(entity.id)})

    def replace(
        self,
        transaction: Transaction,
        before: Entity,
        after: Entity,
        *,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
        refusal: Refusal | None = None,
    ) -> None:
        """Write the next version of an object that still is as `before`. A further `condition` on its item may use
        `state`, `version` and the attributes; `refusal` says what its failure means."""

        def refused(item: Item) -> Exception:
            if not item:
                return ObjectNotFound()
            if item.get("version") != before.version or refusal is None:
                return VersionConflict()
            return refusal(item)

        item, more = to_items(after)
        transaction.put(
            self.table,
            item,
            condition="version = :was" + (f" AND ({condition})" if condition else ""),
            values={**(values or {}), ":was": before.version},
            refusal=refused,
        )
        for row in more:
            transaction.put(self.table, row)
        self._remove_more(transaction, before)
        former, latter = set(index_partitions(before)), set(index_partitions(after))
        for pk in sorted(former - latter):
            transaction.delete(self.table, pk, key(before.id))
        for pk in sorted(latter - former):
            transaction.put(self.table, {"pk": pk, "sk": key(after.id)})
        for name in before.resource.unique:
            if before.values.get(name) != after.values.get(name):
                self._move_claim(transaction, before, after, name)

    def remove(self, transaction: Transaction, entity: Entity) -> None:
        """Delete an object that still is as read, with its rows."""
        transaction.delete(
            self.table, partition(entity.resource, entity.scope), key(entity.id),
            condition="version = :was", values={":was": entity.version},
            refusal=lambda item: VersionConflict() if item else ObjectNotFound(),
        )  # fmt: skip
        self._remove_more(transaction, entity)
        for pk in index_partitions(entity):
            transaction.delete(self.table, pk, key(entity.id))
        for name in entity.resource.unique:
            if entity.values.get(name) is not None:
                transaction.delete(self.table, *_unique_key(entity, name))

    def require(self, transaction: Transaction, resource: Resource, place: Place, object_id: int, field: str) -> None:
        """Hold the transaction to the existence of another object.

        Raises (now or at the commit):
            Invalid: at `field`, it is not there.
        """

        def absent(_: object = None) -> Exception:
            return Invalid.at(field, "names an object that is not there")

        if resource.data is not None:
            if object_id not in statics.objects_of(resource):
                raise absent()
            return
        if not 0 < object_id < 10**16:
            raise absent()
        pk = partition(resource, place.scope_of(resource))
        transaction.check(self.table, pk, key(object_id), "attribute_exists(pk)", refusal=absent)

    def _remove_more(self, transaction: Transaction, entity: Entity) -> None:
        if entity.more == 0:
            return
        for row in to_items(entity)[1]:
            transaction.delete(self.table, row["pk"], row["sk"])

    def _claim(self, transaction: Transaction, entity: Entity, name: str, digest: str) -> None:
        pk, sk = _unique_key(entity, name)

        def refused(item: Item) -> Exception:
            if name != "externalId":
                return ValueTaken(name)
            return AlreadyThere(int(item["id"])) if item["digest"] == digest else ExternalIdReused()

        transaction.put(
            self.table, {"pk": pk, "sk": sk, "id": entity.id, "digest": digest},
            condition="attribute_not_exists(pk)", refusal=refused,
        )  # fmt: skip

    def _move_claim(self, transaction: Transaction, before: Entity, after: Entity, name: str) -> None:
        if before.values.get(name) is not None:
            transaction.delete(self.table, *_unique_key(before, name))
        if after.values.get(name) is not None:
            self._claim(transaction, after, name, "")


# ---------------------------------------------------------------------- keys and items


def partition(resource: Resource, scope: str) -> str:
    return f"{scope}#{resource.kind}"


def key(object_id: int) -> str:
    return f"{object_id:016d}"


def child_scope(parent: Entity) -> str:
    """The scope of the objects that lie below another."""
    return f"{partition(parent.resource, parent.scope)}={parent.id}"


def to_items(entity: Entity) -> tuple[Item, list[Item]]:
    """The item of an object, and the further rows of one that does not fit into it.

    Raises:
        TooLarge: the object is larger than can be stored.
    """
    values = {name: each for name, each in entity.values.items() if name not in ("id", "version")}
    pieces = _pieces(documents.encode(values))
    object.__setattr__(entity, "more", len(pieces) - 1)
    pk, sk = partition(entity.resource, entity.scope), key(entity.id)
    item = {
        **entity.attributes,
        "pk": pk,
        "sk": sk,
        "doc": pieces[0],
        "version": entity.version,
        "state": values.get("state"),
        "more": len(pieces) - 1 or None,
    }
    return item, [
        {"pk": f"{pk}#more", "sk": f"{sk}#{entity.version}#{n}", "text": piece} for n, piece in enumerate(pieces[1:])
    ]


def _pieces(text: str) -> list[str] | list[bytes]:
    """A text as it is where it fits into an item, else deflated and cut into pieces that each do."""
    if len(text) * 4 <= _LONGEST_PIECE or len(text.encode()) <= _LONGEST_PIECE:
        return [text]
    data = text.encode()
    if len(data) > LONGEST_DOCUMENT:
        raise TooLarge(f"The object is larger than {LONGEST_DOCUMENT} bytes")
    packed = zlib.compress(data)
    return [packed[start : start + _LONGEST_PIECE] for start in range(0, len(packed), _LONGEST_PIECE)]


def _text_of(doc: str | bytes) -> str:
    return zlib.decompress(doc).decode() if isinstance(doc, bytes) else doc


def from_item(resource: Resource, scope: str, item: Item) -> Entity:
    object_id, version = int(item["sk"]), int(item["version"])
    own: dict[str, Any] = {"id": object_id}
    if resource.has("version"):
        own["version"] = version
    attributes = {name: each for name, each in item.items() if name not in _OWN}
    values = {**own, **documents.decode(_text_of(item["doc"]))}
    return Entity(resource, scope, object_id, version, values, attributes, int(item.get("more", 0)))


def index_partitions(entity: Entity) -> list[str]:
    """The partitions that hold a row of this object, one for each value of an indexed property."""
    made: list[str] = []
    start = partition(entity.resource, entity.scope)
    for name in entity.resource.indexed:
        value = entity.values.get(name)
        if value is None:
            continue
        of = entity.resource.by_name[name].type
        values: Sequence[Any] = value if isinstance(of, Many) else [value]
        is_link = isinstance(inner_type(of), Link)
        made += [f"{start}#{name}={index_value(each['id'] if is_link else each)}" for each in values]
    return list(dict.fromkeys(made))


def index_value(value: Any) -> str:
    """A value as it stands in an index row's key: folded text, digested where it is long."""
    if isinstance(value, Decimal):
        return documents.plain(value.normalize())
    if isinstance(value, bool):
        return "true" if value else "false"
    return _shortened(str(value).casefold())


def unique_value(name: str, value: Any) -> str:
    """A value as it stands in a unique row: external ids are told apart by case, everything else is not."""
    return "=" + (_shortened(str(value)) if name == "externalId" else index_value(value))


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_VALUE:
        return text
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _unique_key(entity: Entity, name: str) -> tuple[str, str]:
    return f"{partition(entity.resource, entity.scope)}#unique#{name}", unique_value(name, entity.values[name])


def _above(bound: int | None) -> int:
    return 0 if bound is None else min(bound + 1, 10**16 - 1)


def _below(bound: int | None) -> int:
    return 10**16 - 1 if bound is None else min(bound, 10**16) - 1
