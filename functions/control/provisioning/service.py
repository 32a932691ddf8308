"""Use cases of an operator: accounts, API keys and their rotation, OpenID members.

A secret is in an answer once, at its making; what is kept is a keyed digest (API keys) or a sealed form (the HMAC key,
which must be recovered to sign).
"""

from __future__ import annotations

from typing import Any

from control.provisioning.models import (
    Account,
    AccountOptions,
    AddOidcMember,
    Command,
    CreateAccount,
    RemoveOidcMember,
    RotateApiKey,
    RotateHmacKey,
    UpdateAccount,
)
from control.provisioning.repository import IdentityRepository, hmac_context
from tollgate import clock, ids
from tollgate.auth import api_keys, records
from tollgate.crypto.keyring import Keyring
from tollgate.egress import Egress, TargetRefused
from tollgate.errors import Invalid

STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"
"""UTC to the microsecond, in a width that sorts as text."""


class ProvisioningService:
    """Carries out one command at a time."""

    def __init__(self, repository: IdentityRepository, keyring: Keyring, egress: Egress, environment: str) -> None:
        self._repository = repository
        self._keyring = keyring
        self._egress = egress
        self._environment = environment

    def carry_out(self, command: Command) -> dict[str, Any]:
        """The answer to a command, secrets included where it made one.

        Raises:
            AccountNotFound, Invalid: nothing was changed.
        """
        match command:
            case CreateAccount():
                return self._create(command)
            case UpdateAccount():
                return self._update(command)
            case RotateApiKey():
                return self._rotate(command)
            case RotateHmacKey():
                return self._rotate_hmac_key(command)
            case AddOidcMember() | RemoveOidcMember():
                return self._enrol(command)

    def _create(self, command: CreateAccount) -> dict[str, Any]:
        self._check_urls(command)
        account_id, hmac_key = ids.new_uuid(), ids.new_secret()
        account = Account(
            id=account_id,
            name=command.name,
            created_at=clock.iso(clock.now()),
            hmac_key=self._keyring.seal(records.PLATFORM, hmac_context(account_id), hmac_key.encode()),
            notification_url=command.notification_url,
            forward_destinations=tuple(command.forward_destinations or ()),
        )
        transaction = self._repository.begin()
        self._repository.insert_account(transaction, account)
        api_key = self._new_key(transaction, account_id)
        transaction.commit()
        return {"id": account_id, "name": account.name, "vault": {"api_key": api_key, "hmac_key": hmac_key}}

    def _update(self, command: UpdateAccount) -> dict[str, Any]:
        self._check_urls(command)
        given = command.model_dump(include=command.model_fields_set - {"action", "account_id"})
        if given.get("name", "") is None:
            raise Invalid.at("$.name", "must not be null")
        if "notification_url" in given:  # naming it again also takes an endpoint back into service
            given["notification_url_set_at"] = clock.now().strftime(STAMP)
        if given:
            item = self._repository.update_account(command.account_id, given)
        else:
            item = self._repository.require_account(command.account_id)
        return {
            "id": item["id"],
            "name": item["name"],
            "notification_url": item.get("notification_url"),
            "forward_destinations": item.get("forward_destinations", []),
        }

    def _rotate(self, command: RotateApiKey) -> dict[str, Any]:
        account = self._repository.require_account(command.account_id)
        valid_until = clock.epoch() + command.grace_seconds
        transaction = self._repository.begin()
        self._repository.retire_api_keys(transaction, command.account_id, valid_until)
        api_key = self._new_key(transaction, command.account_id)
        transaction.commit()
        return {
            "id": account["id"],
            "name": account["name"],
            "vault": {"api_key": api_key},
            "former_keys_valid_seconds": command.grace_seconds,
        }

    def _rotate_hmac_key(self, command: RotateHmacKey) -> dict[str, Any]:
        account = self._repository.require_account(command.account_id)
        hmac_key = ids.new_secret()
        sealed = self._keyring.seal(records.PLATFORM, hmac_context(command.account_id), hmac_key.encode())
        self._repository.replace_hmac_key(account, sealed, clock.epoch() + command.grace_seconds)
        return {
            "id": account["id"],
            "name": account["name"],
            "vault": {"hmac_key": hmac_key},
            "former_key_valid_seconds": command.grace_seconds,
        }

    def _enrol(self, command: AddOidcMember | RemoveOidcMember) -> dict[str, Any]:
        self._repository.require_account(command.account_id)
        change = self._repository.add_member if isinstance(command, AddOidcMember) else self._repository.remove_member
        change(command.account_id, command.issuer, command.client_id, command.subject)
        member = {"issuer": command.issuer, "client_id": command.client_id, "subject": command.subject}
        return {"id": command.account_id, "oidc": member}

    def _new_key(self, transaction: Any, account_id: str) -> str:
        key_id, secret, api_key = api_keys.new_api_key(self._environment)
        digest = api_keys.digest(self._keyring, key_id, secret)
        self._repository.insert_api_key(transaction, account_id, key_id, digest)
        return api_key

    def _check_urls(self, options: AccountOptions) -> None:
        """The same guard as at each delivery, so that a target that can never be reached is refused at once."""
        if options.notification_url is not None:
            try:
                self._egress.check(options.notification_url)
            except TargetRefused:
                raise Invalid.at("$.notification_url", "is not a target that notifications may be sent to") from None
