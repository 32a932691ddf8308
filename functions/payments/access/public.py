"""What other groups may ask of access: to open a new tenant's part of the family, in the transaction that makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from payments.access.models import NewAccount, NewAssignment, NewSpace, NewUser
from payments.access.repository.directory import DirectoryRepository
from payments.access.service.accounts import OPEN
from payments.access.service.users import SCOPE_ID, new_key
from payments.back_office.public import add_templates
from payments.configurations.public import add_demonstration
from payments.engine.declarations import Resource
from payments.engine.fields import now
from payments.engine.models import Entity, Values
from payments.engine.repository import Objects
from payments.resources.access import ACCOUNT, APPLICATION_USER, ROLE, SPACE, SPACE_LIMIT, USER_LIMIT
from tollgate import aws, clock, ids
from tollgate.auth import permissions
from tollgate.auth.directory import ACTIVE
from tollgate.auth.directory import APPLICATION_USER as APPLICATION
from tollgate.auth.permissions import ADMINISTRATOR, VIEWER
from tollgate.config import PaymentsSettings
from tollgate.crypto.keyring import Keyring
from tollgate.dialects.payments import keyring_of
from tollgate.store.table import Table
from tollgate.store.transaction import Transaction

__all__ = ["OpenTenant", "TenantOpening"]

_LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True, repr=False)
class OpenTenant:
    """What a new tenant has: a root account, a space, an application user and its key, in clear, once; in a sandbox
    also a way to pay by card."""

    account_id: int
    space_id: int
    application_user_id: int
    authentication_key: str
    card_method_configuration_id: int | None

    def shown(self) -> dict[str, Any]:
        """The `payments` member of an account's credentials."""
        made = {
            "account_id": self.account_id,
            "space_id": self.space_id,
            "application_user_id": self.application_user_id,
            "authentication_key": self.authentication_key,
            "card_method_configuration_id": self.card_method_configuration_id,
        }
        return {name: value for name, value in made.items() if value is not None}


class TenantOpening:
    """Opens the payments family for a new tenant."""

    def __init__(
        self, repository: DirectoryRepository, objects: Objects, keyring: Keyring, *, is_sandbox: bool
    ) -> None:
        self._is_sandbox = is_sandbox
        self._repository = repository
        self._objects = objects
        self._keyring = keyring

    @classmethod
    def of(cls, settings: PaymentsSettings) -> TenantOpening:
        table = Table(settings.payments_table, aws.dynamodb())
        return cls(DirectoryRepository(table), Objects(table), keyring_of(settings), is_sandbox=settings.is_sandbox)

    def add(self, transaction: Transaction, tenant: str, name: str) -> OpenTenant:
        """A root account, a space and an administrating application user, called like the tenant, and two roles."""
        account, space, user = (ids.new_number(clock.now()) for _ in range(3))
        self._add_account(transaction, tenant, account, name)
        self._add_space(transaction, tenant, account, space, name)
        administrator = self._add_roles(transaction, tenant, account)
        key, secret = new_key(self._keyring, tenant, user)
        self._repository.insert_user(
            transaction,
            NewUser(user, tenant, account, account, APPLICATION),
            keys=(key,),
            roles=(
                NewAssignment(ids.new_number(clock.now()), administrator, ADMINISTRATOR, account=account, below=True),
            ),
        )
        values = {"name": name, "primaryAccount": account, "requestLimit": USER_LIMIT, "scope": SCOPE_ID}
        self._insert(transaction, APPLICATION_USER, account, user, {**values, "state": ACTIVE, "userType": APPLICATION})
        card = add_demonstration(self._objects, transaction, tenant, space) if self._is_sandbox else None
        return OpenTenant(account, space, user, secret, card)

    def _add_account(self, transaction: Transaction, tenant: str, account: int, name: str) -> None:
        self._repository.insert_account(transaction, NewAccount(account, tenant, (account,)), spaces=1)
        values = {"name": _name(name), "scope": {"id": SCOPE_ID}, "state": ACTIVE, "type": "REGULAR", **OPEN}
        self._insert(transaction, ACCOUNT, account, account, values)

    def _add_space(self, transaction: Transaction, tenant: str, account: int, space: int, name: str) -> None:
        self._repository.insert_space(transaction, NewSpace(space, tenant, (account,)))
        values = {"name": _name(name), "account": {"id": account}, "state": ACTIVE, **OPEN}
        self._insert(transaction, SPACE, account, space, {**values, "requestLimit": SPACE_LIMIT, "timeZone": "UTC"})
        add_templates(self._objects, transaction, space)

    def _add_roles(self, transaction: Transaction, tenant: str, account: int) -> int:
        """The two roles that every tenant comes with; answers the administrator's."""
        made = {}
        tree = permissions.tree().values()
        held = {
            ADMINISTRATOR: ("Administrator", [each.id for each in tree if not each.is_leaf]),
            VIEWER: ("Viewer", [each.id for each in tree if each.is_leaf and each.key.endswith(".read")]),
        }
        for built_in, (title, numbers) in held.items():
            made[built_in] = number = ids.new_number(clock.now())
            row = {"tenant": tenant, "account": account, "permissions": [], "built_in": built_in}
            self._repository.insert_role(transaction, number, row)
            values = {
                "account": {"id": account}, "name": {"en-US": title}, "state": ACTIVE, "twoFactorRequired": False,
                "permissions": [{"id": each} for each in numbers],
            }  # fmt: skip
            self._insert(transaction, ROLE, account, number, values)
        return made[ADMINISTRATOR]

    def _insert(self, transaction: Transaction, resource: Resource, root: int, number: int, values: Values) -> None:
        """An object of the tenant as if it had been created by a request."""
        own: Values = {"id": number, "version": 1}
        if resource.has("createdOn"):
            own["createdOn"] = now()
        self._objects.insert(transaction, Entity(resource, f"A{root}", number, 1, {**own, **values}))


def _name(name: str) -> str:
    """A tenant's name as the name of an account, which has 3 to 200 characters."""
    return name[:_LONGEST_NAME].ljust(3, ".")
