"""Finds the declaration of a resource by its name, loading the part of the family that holds it when first asked for.

A function that expands or searches across a link needs the other resource's declaration and none of its code. A name
whose part is not built is not found; a link to it stays collapsed.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Final

from payments.engine.declarations import Resource

PARTS: Final = (
    *("access", "customers", "configurations", "transactions", "refunds", "tokens", "links", "terminals", "webhooks"),
    *("documents", "manual_tasks", "web_apps", "subscriptions", "bank_transactions", "debt_collection", "analytics"),
    "reference_data",
)
"""Modules of `payments.resources`."""

_HOMES: Final = {
    "customers": "Customer CustomerAddress CustomerComment",
    "reference_data": "ConditionType DocumentTemplateType DocumentTemplateTypeGroup FailureReason Feature "
    "LabelDescriptor LabelDescriptorGroup LabelDescriptorType LegalOrganizationForm ManualTaskType PaymentConnector "
    "PaymentMethod PaymentMethodBrand PaymentProcessor SalesChannel StaticValue SubscriptionMetricType "
    "TokenVersionType WalletType PaymentInformationHashType DeliveryIndicationDecisionReason PaymentTerminalType "
    "DebtCollector RestCountry RestCountryState RestCurrency RestLanguage",
    "access": "Account Space SpaceView Role Permission Scope User ApplicationUser HumanUser SingleSignOnUser",
    "configurations": "PaymentMethodConfiguration PaymentConnectorConfiguration PaymentProcessorConfiguration "
    "Condition",
    "charge_flows": "ChargeFlow ChargeFlowLevel ChargeFlowLevelConfiguration ChargeFlowLevelPaymentLink",
    "transactions": "Transaction TransactionGroup Charge ChargeAttempt ConnectorInvocation DeliveryIndication "
    "TransactionCompletion TransactionVoid TransactionInvoice TransactionLineItemVersion TransactionComment "
    "TransactionInvoiceComment",
    "refunds": "Refund RefundComment",
    "tokens": "Token TokenVersion PaymentInformationHash",
    "terminals": "PaymentTerminal PaymentTerminalConfigurationVersion PaymentTerminalLocationVersion "
    "PaymentTerminalTransactionSummary",
    "links": "PaymentLink",
    "webhooks": "WebhookUrl WebhookListener WebhookIdentity",
    "documents": "DocumentTemplate",
    "manual_tasks": "ManualTask",
    "bank_transactions": "BankAccount CurrencyBankAccount BankTransaction ChargeBankTransaction RefundBankTransaction "
    "RefundRecoveryBankTransaction ExternalTransferBankTransaction InternalTransferBankTransaction",
    "dunning": "DunningFlow DunningFlowLevel DunningFlowType DunningCase",
    "debt_collection": "DebtCollectionCase DebtCollectionCaseSource DebtCollectorConfiguration DebtCollectorCondition "
    "DebtCollectionCaseDocument DebtCollectionReceipt",
    "web_apps": "PaymentAppProcessor PaymentAppConnector",
    "back_office": "SavedView TransactionClientPlatformInformation WalleejoinPartnership WebUiAccountTheme "
    "WalleejoinAdminPartnerConfigurationResponseDto",
    "subscription_products": "SubscriptionProduct SubscriptionProductVersion SubscriptionProductComponent "
    "SubscriptionProductComponentGroup SubscriptionProductComponentReference ProductMeteredFee SubscriptionMetric "
    "TaxClass",
    "subscriptions": "Subscriber Subscription SubscriptionAffiliate SubscriptionVersion SubscriptionLedgerEntry",
}
_HOME_OF: Final = {name: part for part, names in _HOMES.items() for name in names.split()}

_declared: dict[str, Resource] = {}
_loaded: set[str] = set()


def declare(*resources: Resource) -> None:
    """Make declarations known; a module of `payments.resources` does this when it is loaded."""
    for resource in resources:
        _declared[resource.name] = resource


def find(name: str) -> Resource | None:
    """The declaration of this name; None when there is none."""
    if name not in _declared:
        home = _HOME_OF.get(name)
        for part in (home,) if home else PARTS:
            _load(part)
            if name in _declared:
                break
    return _declared.get(name)


def every() -> tuple[Resource, ...]:
    """All declarations of the family, sorted by name. For what goes through everything; a request needs `find`."""
    for part in dict.fromkeys((*PARTS, *_HOMES)):
        _load(part)
    return tuple(_declared[name] for name in sorted(_declared))


def _load(part: str) -> None:
    if part in _loaded:
        return
    _loaded.add(part)
    if importlib.util.find_spec(f"payments.resources.{part}") is not None:
        importlib.import_module(f"payments.resources.{part}")
