"""A transaction and everything that comes of it (fact file 2.16, "Transaction core", "Charges" and "Completion")."""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import (
    CREATED_ON,
    ID,
    LANGUAGE,
    PURGE_DATE,
    SPACE_ID,
    SPACE_VIEW,
    TIME_ZONE,
    VERSION,
    Parent,
    Resource,
)
from payments.engine.fields import (
    METADATA,
    CurrencyCode,
    Email,
    Embedded,
    Field,
    Flag,
    Link,
    Long,
    Many,
    Moment,
    OneOf,
    Shape,
    Text,
    Url,
    int32,
    pick,
)
from payments.resources.addresses import ADDRESS
from payments.resources.line_items import (
    AMOUNT,
    COMPLETION_LINE_CREATE,
    LINE_ITEMS,
    LINE_ITEMS_CREATE,
)
from payments.resources.tokens import LABELS

_REFERENCE: Final = Text(100, ascii=True)
_EXTERNAL_ID: Final = Text(100, least=1, ascii=True)
_BEHAVIOUR: Final = OneOf.of("COMPLETE_IMMEDIATELY COMPLETE_DEFERRED USE_CONFIGURATION")
_ENVIRONMENT: Final = OneOf.of("PRODUCTION TEST")
_PRESENCE: Final = OneOf.of("NOT_PRESENT VIRTUAL_PRESENT PHYSICAL_PRESENT")
_FAILURE: Final = (Field("failureReason", Link("FailureReason")), Field("failedOn", Moment()))
_BROWSER: Final = (
    "acceptHeader acceptLanguageHeader internetProtocolAddress internetProtocolAddressCountry screenColorDepth "
    "screenHeight screenWidth userAgentHeader windowHeight windowWidth"
)

_TRANSACTION: Final = (
    ID, VERSION, CREATED_ON, SPACE_ID, PURGE_DATE, LANGUAGE, TIME_ZONE, SPACE_VIEW, *_FAILURE,
    Field("state", OneOf.of("CREATE PENDING CONFIRMED PROCESSING FAILED AUTHORIZED VOIDED COMPLETED FULFILL DECLINE")),
    Field("currency", CurrencyCode()),
    Field("lineItems", LINE_ITEMS, expandable=True),
    Field("authorizationAmount", AMOUNT),
    Field("completedAmount", AMOUNT),
    Field("refundedAmount", AMOUNT),
    Field("totalAppliedFees", AMOUNT),
    Field("totalSettledAmount", AMOUNT),
    Field("merchantReference", _REFERENCE),
    Field("invoiceMerchantReference", _REFERENCE),
    Field("customerId", Text(100)),
    Field("customerEmailAddress", Email(254)),
    Field("billingAddress", Embedded(ADDRESS)),
    Field("shippingAddress", Embedded(ADDRESS)),
    Field("shippingMethod", Text(200)),
    Field("metaData", METADATA, hidden=True),
    Field("allowedPaymentMethodBrands", Many(Long(1), most=100)),
    Field("allowedPaymentMethodConfigurations", Many(Long(1), most=100)),
    Field("autoConfirmationEnabled", Flag()),
    Field("chargeRetryEnabled", Flag()),
    Field("emailsDisabled", Flag()),
    Field("completionBehavior", _BEHAVIOUR),
    Field("customersPresence", _PRESENCE),
    Field("deviceSessionIdentifier", Text(40, least=10, pattern="[A-Za-z0-9_-]*")),
    Field("environment", OneOf.of("LIVE PREVIEW")),
    Field("environmentSelectionStrategy", OneOf.of("FORCE_TEST_ENVIRONMENT FORCE_PRODUCTION_ENVIRONMENT "
                                                   "USE_CONFIGURATION")),
    Field("successUrl", Url(2000)),
    Field("failedUrl", Url(2000)),
    Field("token", Link("Token")),
    Field("tokenizationMode", OneOf.of("FORCE_UPDATE FORCE_CREATION FORCE_CREATION_WITH_ONE_CLICK_PAYMENT "
                                       "ALLOW_ONE_CLICK_PAYMENT")),
    Field("authorizationEnvironment", _ENVIRONMENT),
    Field("authorizationSalesChannel", Long(1)),
    Field("authorizationTimeoutOn", Moment()),
    Field("authorizedOn", Moment()),
    Field("completedOn", Moment()),
    Field("completionTimeoutOn", Moment()),
    Field("confirmedBy", Long(1)),
    Field("confirmedOn", Moment()),
    Field("createdBy", Long(1)),
    Field("deliveryDecisionMadeOn", Moment()),
    Field("endOfLife", Moment()),
    Field("group", Link("TransactionGroup")),
    Field("javaEnabled", Flag()),
    Field("parent", Link("Transaction")),
    Field("paymentConnectorConfiguration", Link("PaymentConnectorConfiguration")),
    Field("processingOn", Moment()),
    Field("terminal", Link("PaymentTerminal")),
    Field("userFailureMessage", Text(2000)),
    Field("userInterfaceType", OneOf.of("IFRAME LIGHTBOX PAYMENT_PAGE MOBILE_SDK TERMINAL CLOUD_TILL_INTERFACE "
                                        "EXPRESS_CHECKOUT")),
    Field("yearsToKeep", int32(1)),
    *(Field(name, Text(2000)) for name in _BROWSER.split()),
)  # fmt: skip
_PENDING: Final = (
    "allowedPaymentMethodBrands allowedPaymentMethodConfigurations billingAddress completionBehavior currency "
    "customerEmailAddress customerId failedUrl invoiceMerchantReference language merchantReference metaData "
    "shippingAddress shippingMethod successUrl timeZone token tokenizationMode"
)
_ONLY_CREATE: Final = (
    "autoConfirmationEnabled chargeRetryEnabled customersPresence deviceSessionIdentifier emailsDisabled environment "
    "environmentSelectionStrategy spaceViewId"
)
_SENT_LINES: Final = Field("lineItems", LINE_ITEMS_CREATE)

TRANSACTION_PENDING: Final = Shape(
    "TransactionPending", (*pick(_TRANSACTION, f"{_PENDING} version"), _SENT_LINES), ("version",)
)
TRANSACTION: Final = Resource(
    name="Transaction",
    path="/payment/transactions",
    tag="Transactions",
    fields=_TRANSACTION,
    create=Shape("TransactionCreate", (*pick(_TRANSACTION, f"{_PENDING} {_ONLY_CREATE}"), _SENT_LINES), ("lineItems",)),
    update=TRANSACTION_PENDING,
    indexed=("merchantReference", "customerId", "customerEmailAddress", "token", "state"),
)

TRANSACTION_GROUP: Final = Resource(
    name="TransactionGroup",
    path="/payment/transaction-groups",
    permission="transaction",
    fields=(
        ID, VERSION, SPACE_ID, PURGE_DATE,
        Field("beginDate", Moment()), Field("endDate", Moment()), Field("customerId", _REFERENCE),
        Field("state", OneOf.of("PENDING FAILED SUCCESSFUL")),
    ),
    listable=False,
    searchable=False,
)  # fmt: skip

_STAMPS: Final = (ID, VERSION, CREATED_ON, SPACE_ID, PURGE_DATE, LANGUAGE, SPACE_VIEW)
_LINKED: Final = Field("linkedTransaction", Long(1))
_OUTCOME: Final = (
    *_FAILURE,
    Field("nextUpdateOn", Moment()),
    Field("succeededOn", Moment()),
    Field("timeoutOn", Moment()),
)
_OF_TRANSACTION: Final = Field("transaction", Link("Transaction"))

CHARGE: Final = Resource(
    name="Charge",
    path="/payment/charges",
    permission="chargeAttempt",
    fields=(
        *_STAMPS, TIME_ZONE, _OF_TRANSACTION,
        Field("failureReason", Link("FailureReason")),
        Field("state", OneOf.of("PENDING FAILED SUCCESSFUL")),
        Field("timeoutOn", Moment()),
        Field("type", OneOf.of("ASYNCHRONOUS SYNCHRONOUS TOKEN TERMINAL")),
        Field("userFailureMessage", Text(2000)),
    ),
    listable=False,
    searchable=False,
)  # fmt: skip

CHARGE_ATTEMPT: Final = Resource(
    name="ChargeAttempt",
    path="/payment/charge-attempts",
    tag="ChargeAttempts",
    fields=(
        *_STAMPS, TIME_ZONE, LABELS, _LINKED, *_OUTCOME,
        Field("charge", Link("Charge")),
        Field("completionBehavior", _BEHAVIOUR),
        Field("connectorConfiguration", Link("PaymentConnectorConfiguration")),
        Field("customersPresence", _PRESENCE),
        Field("environment", _ENVIRONMENT),
        Field("initializingTokenVersion", Flag()),
        Field("redirectionUrl", Text(2000)),
        Field("salesChannel", Long(1)),
        Field("state", OneOf.of("PROCESSING FAILED SUCCESSFUL")),
        Field("terminal", Link("PaymentTerminal")),
        Field("tokenVersion", Link("TokenVersion")),
        Field("userFailureMessage", Text(2000)),
    ),
    indexed=("linkedTransaction", "charge", "state"),
)  # fmt: skip

_COMPLETION: Final = (
    *_STAMPS, TIME_ZONE, LABELS, _LINKED, *_OUTCOME,
    Field("amount", AMOUNT),
    Field("baseLineItems", LINE_ITEMS, hidden=True),
    Field("createdBy", Long(1)),
    Field("externalId", _EXTERNAL_ID),
    Field("invoiceMerchantReference", _REFERENCE),
    Field("lastCompletion", Flag()),
    Field("lineItemVersion", Link("TransactionLineItemVersion")),
    Field("lineItems", LINE_ITEMS, expandable=True),
    Field("metaData", METADATA, hidden=True),
    Field("mode", OneOf.of("DIRECT ONLINE OFFLINE")),
    Field("paymentInformation", Text(2000)),
    Field("processingOn", Moment()),
    Field("processorReference", Text(150)),
    Field("remainingLineItems", LINE_ITEMS, hidden=True),
    Field("state", OneOf.of("CREATE SCHEDULED PENDING FAILED SUCCESSFUL")),
    Field("statementDescriptor", Text(80, pattern=r"[A-Za-z0-9 .,_?+/-]*")),
    Field("taxAmount", AMOUNT),
)  # fmt: skip

COMPLETION_DETAILS: Final = Shape(
    "TransactionCompletionDetails",
    (
        *pick(_COMPLETION, "externalId invoiceMerchantReference lastCompletion metaData statementDescriptor"),
        Field("lineItems", Many(Embedded(COMPLETION_LINE_CREATE), most=1000, least=1)),
    ),
)

TRANSACTION_COMPLETION: Final = Resource(
    name="TransactionCompletion",
    path="/payment/transactions/completions",
    tag="TransactionCompletions",
    fields=_COMPLETION,
    indexed=("linkedTransaction", "state"),
    unique=("externalId",),
)

TRANSACTION_VOID: Final = Resource(
    name="TransactionVoid",
    path="/payment/transactions/voids",
    tag="TransactionVoids",
    fields=(
        *_STAMPS, LABELS, _LINKED, *_OUTCOME, _OF_TRANSACTION,
        Field("createdBy", Long(1)),
        Field("mode", OneOf.of("ONLINE OFFLINE")),
        Field("processorReference", Text(150)),
        Field("state", OneOf.of("CREATE PENDING FAILED SUCCESSFUL")),
    ),
    indexed=("linkedTransaction", "state"),
)  # fmt: skip

_INVOICE: Final = (
    *_STAMPS, TIME_ZONE, _LINKED,
    Field("amount", AMOUNT),
    Field("billingAddress", Embedded(ADDRESS)),
    Field("completion", Link("TransactionCompletion")),
    Field("derecognizedBy", Long(1)),
    Field("derecognizedOn", Moment()),
    Field("dueOn", Moment()),
    Field("environment", OneOf.of("LIVE PREVIEW")),
    Field("externalId", _EXTERNAL_ID),
    Field("lineItems", LINE_ITEMS, expandable=True),
    Field("merchantReference", _REFERENCE),
    Field("outstandingAmount", AMOUNT),
    Field("paidOn", Moment()),
    Field("state", OneOf.of("CREATE OPEN OVERDUE CANCELED PAID DERECOGNIZED NOT_APPLICABLE")),
    Field("taxAmount", AMOUNT),
)  # fmt: skip

INVOICE_REPLACEMENT: Final = Shape(
    "TransactionInvoiceReplacement",
    (
        *pick(_INVOICE, "billingAddress dueOn externalId merchantReference"),
        _SENT_LINES,
        Field("sentToCustomer", Flag()),
    ),
    ("externalId", "lineItems"),
)

TRANSACTION_INVOICE: Final = Resource(
    name="TransactionInvoice",
    path="/payment/transactions/invoices",
    tag="TransactionInvoices",
    fields=_INVOICE,
    indexed=("linkedTransaction", "completion", "merchantReference", "state"),
    unique=("externalId",),
)

_VERSION: Final = (
    *_STAMPS, LABELS, *_OUTCOME, _OF_TRANSACTION, _LINKED,
    Field("amount", AMOUNT),
    Field("createdBy", Long(1)),
    Field("externalId", _EXTERNAL_ID),
    Field("lineItems", LINE_ITEMS, expandable=True),
    Field("processingOn", Moment()),
    Field("state", OneOf.of("CREATE SCHEDULED PENDING SUCCESSFUL FAILED")),
    Field("taxAmount", AMOUNT),
)  # fmt: skip

TRANSACTION_LINE_ITEM_VERSION: Final = Resource(
    name="TransactionLineItemVersion",
    path="/payment/transactions/line-item-versions",
    tag="TransactionLineItemVersions",
    fields=_VERSION,
    create=Shape(
        "TransactionLineItemVersionCreate",
        (*pick(_VERSION, "externalId"), _SENT_LINES, Field("transaction", Long(1))),
        ("externalId", "lineItems", "transaction"),
    ),
    indexed=("linkedTransaction", "state"),
    unique=("externalId",),
)

DELIVERY_INDICATION: Final = Resource(
    name="DeliveryIndication",
    path="/payment/delivery-indications",
    tag="DeliveryIndications",
    fields=(
        ID, CREATED_ON, SPACE_ID, PURGE_DATE, _LINKED, _OF_TRANSACTION,
        Field("automaticDecisionReason", Link("DeliveryIndicationDecisionReason")),
        Field("automaticallyDecidedOn", Moment()),
        Field("completion", Link("TransactionCompletion")),
        Field("manualDecisionTimeoutOn", Moment()),
        Field("manuallyDecidedBy", Long(1)),
        Field("manuallyDecidedOn", Moment()),
        Field("state", OneOf.of("PENDING NOT_SUITABLE MANUAL_CHECK_REQUIRED SUITABLE")),
        Field("timeoutOn", Moment()),
    ),
    indexed=("linkedTransaction", "state"),
)  # fmt: skip

_COMMENT: Final = (
    ID, VERSION, CREATED_ON, SPACE_ID,
    Field("content", Text(262_144)),
    Field("createdBy", Long(1)),
    Field("editedBy", Long(1)),
    Field("editedOn", Moment()),
    Field("pinned", Flag()),
)  # fmt: skip

TRANSACTION_COMMENT: Final = Resource(
    name="TransactionComment",
    path="/payment/transactions/{transactionId}/comments",
    tag="TransactionComments",
    fields=(*_COMMENT, _OF_TRANSACTION),
    create=Shape("TransactionCommentCreate", (*pick(_COMMENT, "content"), _OF_TRANSACTION), ("transaction",)),
    update=Shape("TransactionCommentActive", pick(_COMMENT, "content version"), ("version",)),
    delete="hard",
    parent=Parent("transactionId", "Transaction", "transaction"),
)

_OF_INVOICE: Final = Field("transactionInvoice", Link("TransactionInvoice"))

TRANSACTION_INVOICE_COMMENT: Final = Resource(
    name="TransactionInvoiceComment",
    path="/payment/transactions/invoices/{invoiceId}/comments",
    tag="TransactionInvoiceComments",
    permission="invoiceComment",
    fields=(*_COMMENT, _OF_INVOICE),
    create=Shape("TransactionInvoiceCommentCreate", (*pick(_COMMENT, "content"), _OF_INVOICE), ("transactionInvoice",)),
    update=Shape("TransactionInvoiceCommentActive", pick(_COMMENT, "content version"), ("version",)),
    delete="hard",
    parent=Parent("invoiceId", "TransactionInvoice", "transactionInvoice"),
)

# ------------------------------------------------------------------ cards, which are handed on and never kept

_CRYPTOGRAM: Final = Shape("CardCryptogramCreate", (Field("eci", Text(2)), Field("value", Text(100))), ("value",))
_DIGITS: Final = "[0-9 ]*"
_CARD: Final = (
    Field("cardHolderName", Text(100)),
    Field("cardVerificationCode", Text(4, least=3, pattern=_DIGITS)),
    Field("cryptogram", Embedded(_CRYPTOGRAM)),
    Field("expiryDate", Text(pattern=r"\d{4}-(0[1-9]|1[0-2])")),
    Field(
        "panType",
        OneOf.of(
            "PLAIN PLAIN_GOOGLE_PAY SCHEME_TOKEN SCHEME_TOKEN_CLICK_TO_PAY DEVICE_TOKEN_APPLE_PAY "
            "DEVICE_TOKEN_GOOGLE_PAY DEVICE_TOKEN_SAMSUNG_PAY DEVICE_TOKEN_ANDROID_PAY"
        ),
    ),
    Field("primaryAccountNumber", Text(30, least=10, pattern=_DIGITS)),
    Field(
        "recurringIndicator",
        OneOf.of(
            "REGULAR_TRANSACTION INITIAL_RECURRING_TRANSACTION MERCHANT_INITIATED_RECURRING_TRANSACTION "
            "CUSTOMER_INITIATED_RECURRING_TRANSACTION"
        ),
    ),
    Field("schemeTransactionReference", Text(100)),
    Field("tokenRequestorId", Text(100)),
)
_AUTHENTICATION: Final = Shape(
    "CardholderAuthenticationCreate",
    (
        Field("authenticationIdentifier", Text(100)),
        Field(
            "authenticationResponse",
            OneOf.of(
                "FULLY_AUTHENTICATED AUTHENTICATION_NOT_REQUIRED NOT_ENROLLED ENROLLMENT_ERROR AUTHENTICATION_ERROR"
            ),
        ),
        Field("authenticationValue", Text(100)),
        Field("electronicCommerceIndicator", Text(2)),
        Field("version", OneOf.of("V1 V2")),
    ),
    ("authenticationResponse", "version"),
)
_METHOD: Final = Field("paymentMethodConfiguration", Long(1))

AUTHENTICATED_CARD_REQUEST: Final = Shape(
    "AuthenticatedCardRequest",
    (
        Field(
            "cardData",
            Embedded(
                Shape(
                    "AuthenticatedCardDataCreate",
                    (*_CARD, Field("cardholderAuthentication", Embedded(_AUTHENTICATION))),
                    ("primaryAccountNumber",),
                )
            ),
        ),
        _METHOD,
    ),
    ("cardData",),
)
TOKENIZED_CARD_REQUEST: Final = Shape(
    "TokenizedCardRequest",
    (Field("cardData", Embedded(Shape("TokenizedCardDataCreate", _CARD, ("primaryAccountNumber",)))), _METHOD),
    ("cardData",),
)

catalogue.declare(
    TRANSACTION, TRANSACTION_GROUP, CHARGE, CHARGE_ATTEMPT, TRANSACTION_COMPLETION, TRANSACTION_VOID,
    TRANSACTION_INVOICE, TRANSACTION_LINE_ITEM_VERSION, DELIVERY_INDICATION, TRANSACTION_COMMENT,
    TRANSACTION_INVOICE_COMMENT,
)  # fmt: skip
