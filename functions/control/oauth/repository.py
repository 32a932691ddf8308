"""OAuth clients in the identity table, read only (layout: `tollgate.auth.records`)."""

from __future__ import annotations

from control.oauth.models import Client
from tollgate import clock
from tollgate.auth import records
from tollgate.store.table import Table


class ClientRepository:
    """The OAuth clients of all accounts."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, client_id: str) -> Client | None:
        item = self._table.get(*records.oauth_client_key(client_id))
        if item is None:
            return None
        digests = [str(item["digest"])]
        if item.get("former_until", 0) > clock.epoch():
            digests.append(str(item["former_digest"]))
        return Client(client_id, str(item["account_id"]), tuple(digests))
