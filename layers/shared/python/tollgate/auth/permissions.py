"""The tree of permissions of the payments family, and the roles that everyone has.

A permission is named `<subject>.<action>` in code (`customer.read`) and by a number towards clients. Two levels: a
group per subject, a leaf per action. Numbers are places in `SUBJECTS`, which is therefore only ever appended to.
Reference data: nothing here changes at run time, and nothing here knows who holds what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

_CRUD: Final = ("read", "create", "update", "delete")
_READ: Final = ("read",)

SUBJECTS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("account", "Account", (*_CRUD, "activate")),
    ("space", "Space", _CRUD),
    ("application_user", "Application User", (*_CRUD, "manage_keys", "assign_roles")),
    ("human_user", "Human User", (*_CRUD, "export", "assign_roles")),
    ("single_sign_on_user", "Single Sign-On User", (*_CRUD, "assign_roles")),
    ("role", "Role", _CRUD),
    ("customer", "Customer", (*_CRUD, "merge")),
    ("customer_address", "Customer Address", _CRUD),
    ("customer_comment", "Customer Comment", _CRUD),
    ("transaction", "Transaction", (*_CRUD, "process", "export", "delegate")),
    ("charge_attempt", "Charge Attempt", _READ),
    ("charge_flow", "Charge Flow", (*_CRUD, "apply")),
    ("transaction_completion", "Transaction Completion", ("read", "create")),
    ("transaction_void", "Transaction Void", ("read", "create")),
    ("transaction_invoice", "Transaction Invoice", (*_CRUD, "mark_paid")),
    ("transaction_line_item_version", "Transaction Line Item Version", ("read", "create")),
    ("transaction_comment", "Transaction Comment", _CRUD),
    ("delivery_indication", "Delivery Indication", ("read", "mark")),
    ("refund", "Refund", ("read", "create", "decide")),
    ("refund_comment", "Refund Comment", _CRUD),
    ("token", "Token", (*_CRUD, "process")),
    ("token_version", "Token Version", _READ),
    ("payment_method_configuration", "Payment Method Configuration", _CRUD),
    ("payment_connector_configuration", "Payment Connector Configuration", _CRUD),
    ("payment_processor_configuration", "Payment Processor Configuration", _CRUD),
    ("payment_link", "Payment Link", _CRUD),
    ("payment_terminal", "Payment Terminal", (*_CRUD, "perform")),
    ("webhook_listener", "Webhook Listener", _CRUD),
    ("webhook_url", "Webhook URL", _CRUD),
    ("webhook_identity", "Webhook Identity", _READ),
    ("document_template", "Document Template", _CRUD),
    ("manual_task", "Manual Task", ("read", "act")),
    ("web_app", "Web App", ("read", "install", "manage")),
    ("analytics", "Analytics", ("read", "submit", "download")),
    ("subscriber", "Subscriber", _CRUD),
    ("subscription", "Subscription", (*_CRUD, "manage")),
    ("subscription_product", "Subscription Product", (*_CRUD, "manage")),
    ("subscription_affiliate", "Subscription Affiliate", _CRUD),
    ("subscription_metric", "Subscription Metric", _CRUD),
    ("subscription_charge", "Subscription Charge", ("read", "create", "discard")),
    ("subscription_ledger_entry", "Subscription Ledger Entry", ("read", "create")),
    ("subscription_suspension", "Subscription Suspension", ("read", "create", "terminate")),
    ("bank_account", "Bank Account", (*_READ, "update")),
    ("bank_transaction", "Bank Transaction", _READ),
    ("dunning", "Dunning", (*_CRUD, "manage")),
    ("debt_collection", "Debt Collection", (*_CRUD, "manage")),
    ("saved_view", "Saved View", _CRUD),
    ("boarding", "Boarding", ("read", "manage")),
    ("ui_theme", "UI Theme", ("read", "update")),
    ("consumed_resource", "Consumed Resource", _READ),
    ("invoice_comment", "Invoice Comment", _CRUD),
)
"""(subject, title, actions)."""

_FIRST: Final = 1000
_STEP: Final = 20
ADMINISTRATOR: Final = 1
VIEWER: Final = 2


@dataclass(frozen=True, slots=True)
class Permission:
    """A node of the tree. `parent` is None for a group."""

    id: int
    key: str
    title: str
    parent: int | None

    @property
    def is_leaf(self) -> bool:
        return self.parent is not None

    @property
    def needs_two_factors(self) -> bool:
        """What hands out rights is worth a second factor to people; application users have none."""
        return self.key.endswith((".assign_roles", ".manage_keys")) or self.key == "role.update"


@cache
def tree() -> Mapping[int, Permission]:
    """All permissions by number, in order of numbers."""
    made: dict[int, Permission] = {}
    for place, (subject, title, actions) in enumerate(SUBJECTS):
        group = _FIRST + place * _STEP
        made[group] = Permission(group, subject, title, None)
        for number, action in enumerate(actions, group + 1):
            made[number] = Permission(number, f"{subject}.{action}", f"{title}: {action.replace('_', ' ')}", group)
    return made


@cache
def leaves() -> frozenset[str]:
    """The names of all leaves: what a route may demand."""
    return frozenset(each.key for each in tree().values() if each.is_leaf)


def granted_by(numbers: frozenset[int]) -> frozenset[str]:
    """The leaves that a role with these permissions holds; a group stands for all of its leaves."""
    return frozenset(
        each.key for each in tree().values() if each.is_leaf and (each.id in numbers or each.parent in numbers)
    )


@cache
def built_in_roles() -> Mapping[int, frozenset[str]]:
    """The roles that belong to no account, and the leaves that they hold."""
    return {ADMINISTRATOR: leaves(), VIEWER: frozenset(key for key in leaves() if key.endswith(".read"))}
