"""The tree of permissions of the payments family, and the roles that everyone has.

A permission is named `<subject>.<action>` in code (`customer.read`) and by a number towards clients. Two levels: a
group per subject, a leaf per action. Numbers are places in `SUBJECTS`, which is therefore only ever appended to.
Reference data: nothing here changes at run time, and nothing here knows who holds what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

_CRUD: Final = ("read", "create", "update", "delete")
_READ: Final = ("read",)

SUBJECTS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("account", "Account", (*_CRUD, "activate")),
    ("space", "Space", _CRUD),
    ("applicationUser", "Application User", (*_CRUD, "manageKeys", "assignRoles")),
    ("humanUser", "Human User", (*_CRUD, "export", "assignRoles")),
    ("singleSignOnUser", "Single Sign-On User", (*_CRUD, "assignRoles")),
    ("role", "Role", _CRUD),
    ("customer", "Customer", (*_CRUD, "merge")),
    ("customerAddress", "Customer Address", _CRUD),
    ("customerComment", "Customer Comment", _CRUD),
    ("transaction", "Transaction", (*_CRUD, "process", "export", "delegate")),
    ("chargeAttempt", "Charge Attempt", _READ),
    ("chargeFlow", "Charge Flow", (*_CRUD, "apply")),
    ("transactionCompletion", "Transaction Completion", ("read", "create")),
    ("transactionVoid", "Transaction Void", ("read", "create")),
    ("transactionInvoice", "Transaction Invoice", (*_CRUD, "markPaid")),
    ("transactionLineItemVersion", "Transaction Line Item Version", ("read", "create")),
    ("transactionComment", "Transaction Comment", _CRUD),
    ("deliveryIndication", "Delivery Indication", ("read", "mark")),
    ("refund", "Refund", ("read", "create", "decide")),
    ("refundComment", "Refund Comment", _CRUD),
    ("token", "Token", (*_CRUD, "process")),
    ("tokenVersion", "Token Version", _READ),
    ("paymentMethodConfiguration", "Payment Method Configuration", _CRUD),
    ("paymentConnectorConfiguration", "Payment Connector Configuration", _CRUD),
    ("paymentProcessorConfiguration", "Payment Processor Configuration", _CRUD),
    ("paymentLink", "Payment Link", _CRUD),
    ("paymentTerminal", "Payment Terminal", (*_CRUD, "perform")),
    ("webhookListener", "Webhook Listener", _CRUD),
    ("webhookUrl", "Webhook URL", _CRUD),
    ("webhookIdentity", "Webhook Identity", _READ),
    ("documentTemplate", "Document Template", _CRUD),
    ("manualTask", "Manual Task", ("read", "act")),
    ("webApp", "Web App", ("read", "install", "manage")),
    ("analytics", "Analytics", ("read", "submit", "download")),
    ("subscriber", "Subscriber", _CRUD),
    ("subscription", "Subscription", (*_CRUD, "manage")),
    ("subscriptionProduct", "Subscription Product", (*_CRUD, "manage")),
    ("subscriptionAffiliate", "Subscription Affiliate", _CRUD),
    ("subscriptionMetric", "Subscription Metric", _CRUD),
    ("subscriptionCharge", "Subscription Charge", ("read", "create", "discard")),
    ("subscriptionLedgerEntry", "Subscription Ledger Entry", ("read", "create")),
    ("subscriptionSuspension", "Subscription Suspension", ("read", "create", "terminate")),
    ("bankAccount", "Bank Account", (*_READ, "update")),
    ("bankTransaction", "Bank Transaction", _READ),
    ("dunning", "Dunning", (*_CRUD, "manage")),
    ("debtCollection", "Debt Collection", (*_CRUD, "manage")),
    ("savedView", "Saved View", _CRUD),
    ("boarding", "Boarding", ("read", "manage")),
    ("uiTheme", "UI Theme", ("read", "update")),
    ("consumedResource", "Consumed Resource", _READ),
    ("invoiceComment", "Invoice Comment", _CRUD),
    ("partnership", "Partnership", _CRUD),
    ("partnerConfiguration", "Partner Configuration", _CRUD),
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
        return self.key.endswith((".assignRoles", ".manageKeys")) or self.key == "role.update"


@cache
def tree() -> Mapping[int, Permission]:
    """All permissions by number, in order of numbers."""
    made: dict[int, Permission] = {}
    for place, (subject, title, actions) in enumerate(SUBJECTS):
        group = _FIRST + place * _STEP
        made[group] = Permission(group, subject, title, None)
        for number, action in enumerate(actions, group + 1):
            made[number] = Permission(number, f"{subject}.{action}", f"{title}: {_words(action)}", group)
    return made


def _words(action: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in action)


@cache
def leaves() -> frozenset[str]:
    """The names of all leaves: what a route may demand."""
    return frozenset(each.key for each in tree().values() if each.is_leaf)


@lru_cache(maxsize=256)
def granted_by(numbers: frozenset[int]) -> frozenset[str]:
    """The leaves that a role with these permissions holds; a group stands for all of its leaves."""
    return frozenset(
        each.key for each in tree().values() if each.is_leaf and (each.id in numbers or each.parent in numbers)
    )


@cache
def built_in_roles() -> Mapping[int, frozenset[str]]:
    """The roles that every tenant comes with, and the leaves that they hold."""
    return {ADMINISTRATOR: leaves(), VIEWER: frozenset(key for key in leaves() if key.endswith(".read"))}
