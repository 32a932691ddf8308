"""Accounts, API keys and OpenID members in the identity table (layout: `tollgate.auth.records`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from control.provisioning.errors import AccountNotFound, AudienceTaken
from tollgate import clock
from tollgate.auth import records
from tollgate.auth.access_tokens import SigningKeys
from tollgate.crypto.keyring import Keyring
from tollgate.errors import Contended, Fault
from tollgate.store.items import Item
from tollgate.store.table import ConditionFailed, Table
from tollgate.store.transaction import Transaction

if TYPE_CHECKING:  # its module loads a validation library, which readers of an account must not pay for
    from control.provisioning.models import Account

_CONTEND_LIMIT = 50


class IdentityRepository:
    """Writes what `tollgate.auth` reads."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self) -> Transaction:
        return Transaction(self._table.client)

    def insert_account(self, transaction: Transaction, account: Account) -> None:
        pk, sk = records.account_key(account.id)
        item = {
            "pk": pk,
            "sk": sk,
            "id": account.id,
            "name": account.name,
            "created_at": account.created_at,
            "hmac_key": account.hmac_key,
            "notification_url": account.notification_url,
            "forward_destinations": list(account.forward_destinations),
        }
        transaction.put(self._table, item, condition="attribute_not_exists(pk)")

    def insert_api_key(self, transaction: Transaction, account_id: str, key_id: str, digest: str) -> None:
        """An API key under its public part, and a row by which the account's keys are found."""
        now = clock.iso(clock.now())
        for pk, sk in (records.api_key_key(key_id), records.account_api_key_key(account_id, key_id)):
            row = {"pk": pk, "sk": sk, "account_id": account_id, "created_at": now}
            transaction.put(self._table, {**row, "digest": digest} if sk == "#" else row)

    def retire_api_keys(self, transaction: Transaction, account_id: str, valid_until: int) -> None:
        """Let every present key of the account end at `valid_until`, or earlier if it was to."""
        rows = self._table.query(records.account_key(account_id)[0], prefix="KEY#", limit=_CONTEND_LIMIT)
        for row in rows:
            key_id = str(row["sk"]).removeprefix("KEY#")
            held = self._table.get(*records.api_key_key(key_id))
            if held is None or held.get("valid_until", valid_until + 1) <= valid_until:
                continue
            transaction.update(
                self._table, *records.api_key_key(key_id), "SET valid_until = :until",
                values={":until": valid_until}, condition="attribute_exists(pk)",
            )  # fmt: skip

    def require_account(self, account_id: str) -> Item:
        item = self._table.get(*records.account_key(account_id))
        if item is None:
            raise AccountNotFound
        return item

    def update_account(self, account_id: str, changes: Mapping[str, Any]) -> Item:
        """Set members, or remove those whose new value is None."""
        sets = [name for name, value in changes.items() if value is not None]
        removes = [name for name, value in changes.items() if value is None]
        expression = " ".join(
            part
            for part in (
                "SET " + ", ".join(f"#{name} = :{name}" for name in sets) if sets else "",
                "REMOVE " + ", ".join(f"#{name}" for name in removes) if removes else "",
            )
            if part
        )
        try:
            return self._table.update(
                *records.account_key(account_id), expression,
                names={f"#{name}": name for name in changes},
                values={f":{name}": changes[name] for name in sets},
                condition="attribute_exists(pk)",
            )  # fmt: skip
        except ConditionFailed:
            raise AccountNotFound from None

    def replace_hmac_key(self, account: Item, sealed: bytes, former_until: int) -> None:
        """Sign with another key from now on; the one of `account`, as read, still counts until `former_until`.

        Raises:
            Contended: another rotation was first.
        """
        try:
            self._table.update(
                *records.account_key(account["id"]),
                "SET hmac_key = :new, former_hmac_key = :former, former_hmac_key_until = :until",
                values={":new": sealed, ":former": account["hmac_key"], ":until": former_until},
                condition="hmac_key = :former",
            )  # fmt: skip
        except ConditionFailed:
            raise Contended from None

    # ------------------------------------------------------------------ the risk instance and its client

    def find_instance(self, account_id: str) -> Item | None:
        return self._table.get(*records.risk_instance_key(account_id))

    def audience_owner(self, audience: str) -> str | None:
        item = self._table.get(*records.audience_key(audience))
        return str(item["account_id"]) if item else None

    def insert_instance(
        self, transaction: Transaction, account_id: str, settings: Mapping[str, Any], client_id: str
    ) -> None:
        """A new instance; its audience is refused where another account has it."""
        pk, sk = records.risk_instance_key(account_id)
        item = {"pk": pk, "sk": sk, "account_id": account_id, "client_id": client_id, **settings}
        transaction.put(
            self._table, item, condition="attribute_not_exists(pk)", refusal=lambda _: Contended()
        )  # fmt: skip
        self._claim_audience(transaction, account_id, settings["audience"])

    def replace_instance(self, transaction: Transaction, former: Item, settings: Mapping[str, Any]) -> None:
        """Change an instance that still is as read."""
        transaction.put(
            self._table, {**former, **settings},
            condition="audience = :audience AND edition = :edition AND pci_level = :pci_level",
            values={f":{name}": former[name] for name in ("audience", "edition", "pci_level")},
            refusal=lambda _: Contended(),
        )  # fmt: skip
        if settings["audience"] != former["audience"]:
            self._claim_audience(transaction, former["account_id"], settings["audience"])
            transaction.delete(self._table, *records.audience_key(former["audience"]))

    def _claim_audience(self, transaction: Transaction, account_id: str, audience: str) -> None:
        pk, sk = records.audience_key(audience)
        transaction.put(
            self._table, {"pk": pk, "sk": sk, "account_id": account_id},
            condition="attribute_not_exists(pk)",
            refusal=lambda _: AudienceTaken([Fault("$.risk.audience", "belongs to another account")]),
        )  # fmt: skip

    def insert_client(self, transaction: Transaction, account_id: str, client_id: str, digest: str) -> None:
        pk, sk = records.oauth_client_key(client_id)
        item = {"pk": pk, "sk": sk, "account_id": account_id, "family": "risk", "digest": digest}
        transaction.put(self._table, item, condition="attribute_not_exists(pk)")

    def replace_client_secret(self, client_id: str, digest: str, former_until: int) -> None:
        self._table.update(
            *records.oauth_client_key(client_id),
            "SET former_digest = digest, former_until = :until, digest = :digest",
            values={":digest": digest, ":until": former_until}, condition="attribute_exists(pk)",
        )  # fmt: skip

    def ensure_signing_key(self, keyring: Keyring) -> None:
        """Access tokens can be signed from the first account on. Two first keys at once do no harm: both verify."""
        keys = SigningKeys(self._table, keyring)
        if keys.newest() is None:
            keys.add()

    def add_signing_key(self, keyring: Keyring) -> str:
        return SigningKeys(self._table, keyring).add().id

    # ------------------------------------------------------------------ OpenID members

    def add_member(self, account_id: str, issuer: str, client_id: str, subject: str) -> None:
        """Trust the client at the issuer and enrol the subject, both idempotent."""
        self._table.update(
            *records.issuer_key(issuer), "ADD client_ids :clients", values={":clients": frozenset([client_id])}
        )
        pk, sk = records.member_key(issuer, client_id, subject, account_id)
        self._table.put({"pk": pk, "sk": sk, "issuer": issuer, "client_id": client_id, "subject": subject})

    def remove_member(self, account_id: str, issuer: str, client_id: str, subject: str) -> None:
        self._table.delete(*records.member_key(issuer, client_id, subject, account_id))


def hmac_context(account_id: str) -> dict[str, str]:
    """What an account's sealed HMAC key is bound to."""
    return {"record": "hmac-key", "account": account_id}
