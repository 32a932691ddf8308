"""Use cases of an operator: accounts, API keys and their rotation, OpenID members.

A secret is in an answer once, at its making; what is kept is a keyed digest (API keys) or a sealed form (the HMAC key,
which must be recovered to sign).
"""

from __future__ import annotations

from typing import Any

from control.provisioning.errors import AccountNotFound, AudienceTaken
from control.provisioning.models import (
    Account,
    AccountOptions,
    AddOidcMember,
    Command,
    CreateAccount,
    RemoveOidcMember,
    RiskOptions,
    RotateApiKey,
    RotateClientSecret,
    RotateHmacKey,
    RotateSigningKey,
    UpdateAccount,
)
from control.provisioning.repository import IdentityRepository, hmac_context
from control.provisioning.rules import audience_from
from payments.access.public import TenantOpening
from tollgate import clock, ids
from tollgate.auth import api_keys, records
from tollgate.crypto.keyring import Keyring
from tollgate.egress import Egress, TargetRefused
from tollgate.errors import Fault, Invalid

STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"
"""UTC to the microsecond, in a width that sorts as text."""


class RiskProvisioning:
    """The risk instance of an account and the OAuth client that acts on it."""

    def __init__(self, repository: IdentityRepository, keyring: Keyring) -> None:
        self._repository = repository
        self._keyring = keyring

    def add(self, transaction: Any, account_id: str, name: str, options: RiskOptions | None) -> dict[str, Any]:
        """A new instance and a new client, in the account's transaction; the secret is in the answer, once.

        Without an audience of the operator's choice one is made of the account's name, unlike any other account's.

        Raises:
            AudienceTaken: the audience named is another account's.
        """
        wanted = options or RiskOptions()
        audience = wanted.audience or self._free_audience(name, account_id)
        settings = {
            "audience": audience,
            "edition": wanted.edition or "core",
            "pci_level": wanted.pci_level or "SAQ_A",
        }
        self._require_free(audience, account_id)
        self._repository.ensure_signing_key(self._keyring)
        client_id, secret = ids.new_uuid(), ids.new_secret()
        self._repository.insert_instance(transaction, account_id, settings, client_id)
        self._repository.insert_client(transaction, account_id, client_id, self._digest(client_id, secret))
        return {"client_id": client_id, "client_secret": secret, **settings}

    def update(self, account_id: str, name: str, options: RiskOptions | None) -> dict[str, Any] | None:
        """Change what is given. An account without an instance gets one, with a client and its secret, once."""
        former = self._repository.find_instance(account_id)
        if options is None:
            return _shown(former)
        transaction = self._repository.begin()
        if former is None:
            made = self.add(transaction, account_id, name, options)
            transaction.commit()
            return made
        changes: dict[str, str] = options.model_dump(exclude_none=True)
        settings = {name: changes.get(name, str(former[name])) for name in ("audience", "edition", "pci_level")}
        self._require_free(settings["audience"], account_id)
        self._repository.replace_instance(transaction, former, settings)
        transaction.commit()
        return {"client_id": former["client_id"], **settings}

    def rotate_secret(self, command: RotateClientSecret) -> dict[str, Any]:
        """A new secret for the account's client.

        Raises:
            AccountNotFound: no account, or one without a risk instance.
        """
        instance = self._repository.find_instance(command.account_id)
        if instance is None:
            raise AccountNotFound
        client_id, secret = instance["client_id"], ids.new_secret()
        until = clock.epoch() + command.grace_seconds
        self._repository.replace_client_secret(client_id, self._digest(client_id, secret), until)
        risk = {"client_id": client_id, "client_secret": secret}
        return {"id": command.account_id, "risk": risk, "former_secret_valid_seconds": command.grace_seconds}

    def rotate_signing_key(self) -> dict[str, Any]:
        return {"id": self._repository.add_signing_key(self._keyring)}

    def _digest(self, client_id: str, secret: str) -> str:
        message = f"{client_id}:{secret}".encode()
        return self._keyring.digest(records.PLATFORM, records.CLIENT_SECRET_DOMAIN, message)

    def _free_audience(self, name: str, account_id: str) -> str:
        simple = audience_from(name)
        if simple and self._repository.audience_owner(simple) is None:
            return simple
        return f"{simple or 'account'}-{account_id[:8]}"

    def _require_free(self, audience: str, account_id: str) -> None:
        if self._repository.audience_owner(audience) not in {None, account_id}:
            raise AudienceTaken([Fault("$.risk.audience", "belongs to another account")])


def _shown(instance: dict[str, Any] | None) -> dict[str, Any] | None:
    shown = ("client_id", "audience", "edition", "pci_level")
    return {name: instance[name] for name in shown} if instance else None


class ProvisioningService:
    """Carries out one command at a time."""

    def __init__(
        self,
        repository: IdentityRepository,
        keyring: Keyring,
        egress: Egress,
        environment: str,
        payments: TenantOpening,
    ) -> None:
        self._repository = repository
        self._keyring = keyring
        self._egress = egress
        self._environment = environment
        self._payments = payments
        self._risk = RiskProvisioning(repository, keyring)

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
            case RotateClientSecret():
                return self._risk.rotate_secret(command)
            case RotateSigningKey():
                return self._risk.rotate_signing_key()
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
        risk = self._risk.add(transaction, account_id, command.name, command.risk)
        payments = self._payments.add(transaction, account_id, command.name)
        transaction.commit()
        vault = {"api_key": api_key, "hmac_key": hmac_key}
        return {"id": account_id, "name": account.name, "vault": vault, "risk": risk, "payments": payments.shown()}

    def _update(self, command: UpdateAccount) -> dict[str, Any]:
        self._check_urls(command)
        given = command.model_dump(include=command.model_fields_set - {"action", "account_id", "risk"})
        if given.get("name", "") is None:
            raise Invalid.at("$.name", "must not be null")
        if "notification_url" in given:  # naming it again also takes an endpoint back into service
            given["notification_url_set_at"] = clock.now().strftime(STAMP)
        if given:
            item = self._repository.update_account(command.account_id, given)
        else:
            item = self._repository.require_account(command.account_id)
        risk = self._risk.update(item["id"], item["name"], command.risk)
        return {
            "id": item["id"],
            "name": item["name"],
            "notification_url": item.get("notification_url"),
            "forward_destinations": item.get("forward_destinations", []),
            "risk": risk,
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
