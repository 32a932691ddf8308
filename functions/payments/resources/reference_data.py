"""What is the same for every merchant and changes with a release: countries, currencies, methods, kinds of everything
(fact file 2.16, "Reference data" and the types that other models name). The objects are in `data`."""

from __future__ import annotations

from typing import Final

from payments.engine import catalogue
from payments.engine.declarations import ID, Resource
from payments.engine.fields import (
    LOCALIZED,
    CurrencyCode,
    Embedded,
    Field,
    Flag,
    Link,
    Long,
    Many,
    OneOf,
    Shape,
    Text,
    int32,
)

NAME: Final = Field("name", LOCALIZED)
DESCRIPTION: Final = Field("description", LOCALIZED)
_PLAIN: Final = (ID, NAME, DESCRIPTION)
_SORT_ORDER: Final = Field("sortOrder", int32())
_COUNTRY: Final = Text(2, least=2)


def _static(name: str, path: str, tag: str, data: str, fields: tuple[Field, ...]) -> Resource:
    """A resource with routes of its own."""
    return Resource(name=name, path=path, tag=tag, scope="global", data=data, fields=fields)


def _kind(name: str, data: str, fields: tuple[Field, ...] = _PLAIN) -> Resource:
    """A resource that others link to and that has no routes."""
    return Resource(
        name=name, path=f"/-/{data}", scope="global", data=data, fields=fields, listable=False, searchable=False
    )


# ------------------------------------------------------------------ places, money, languages

_ADDRESS_FORMAT: Final = Shape(
    "RestAddressFormat",
    (
        Field("usedFields", Many(Text())),
        Field("requiredFields", Many(Text())),
        Field("postCodeRegex", Text()),
        Field("postCodeExamples", Many(Text())),
    ),
)
COUNTRY: Final = _static(
    "RestCountry", "/countries", "Countries", "countries",
    (
        Field("isoCode2", _COUNTRY),
        Field("isoCode3", Text(3, least=3)),
        Field("numericCode", Text(3, least=3)),
        Field("name", Text()),
        Field("stateCodes", Many(Text())),
        Field("addressFormat", Embedded(_ADDRESS_FORMAT)),
    ),
)  # fmt: skip
COUNTRY_STATE: Final = _static(
    "RestCountryState", "/countries/states", "Countries", "country_states",
    (Field("id", Text()), Field("code", Text()), Field("countryCode", _COUNTRY), Field("name", Text())),
)  # fmt: skip
CURRENCY: Final = _static(
    "RestCurrency", "/currencies", "Currencies", "currencies",
    (
        Field("currencyCode", CurrencyCode()),
        Field("fractionDigits", int32(0)),
        Field("name", Text()),
        Field("numericCode", int32(0)),
    ),
)  # fmt: skip
LANGUAGE: Final = _static(
    "RestLanguage", "/languages", "Languages", "languages",
    (
        Field("ietfCode", Text()),
        Field("iso2Code", Text()),
        Field("iso3Code", Text()),
        Field("countryCode", _COUNTRY),
        Field("name", Text()),
        Field("pluralExpression", Text()),
        Field("primaryOfGroup", Flag()),
    ),
)  # fmt: skip
_LOCALIZED_STRING: Final = Shape("LocalizedString", (Field("language", Text()), Field("string", Text())))
LEGAL_ORGANIZATION_FORM: Final = _static(
    "LegalOrganizationForm", "/legal-organization-forms", "LegalOrganizationForms", "legal_organization_forms",
    (
        ID,
        Field("country", _COUNTRY),
        Field("shortcut", Many(Embedded(_LOCALIZED_STRING))),
        Field("description", Many(Embedded(_LOCALIZED_STRING))),
        Field("englishDescription", Text()),
    ),
)  # fmt: skip

# ------------------------------------------------------------------ payments

PAYMENT_METHOD: Final = _static(
    "PaymentMethod", "/payment/methods", "PaymentMethods", "payment_methods",
    (
        *_PLAIN,
        Field("merchantDescription", LOCALIZED),
        Field("dataCollectionTypes", Many(OneOf.of("ONSITE OFFSITE"))),
        Field("imagePath", Text()),
        Field("supportedCurrencies", Many(CurrencyCode())),
    ),
)  # fmt: skip
PAYMENT_METHOD_BRAND: Final = _static(
    "PaymentMethodBrand", "/payment/method-brands", "PaymentMethodBrands", "payment_method_brands",
    (*_PLAIN, Field("paymentMethod", Long(1)), Field("imagePath", Text()), Field("grayImagePath", Text())),
)  # fmt: skip
PAYMENT_PROCESSOR: Final = _static(
    "PaymentProcessor", "/payment/processors", "PaymentProcessors", "payment_processors",
    (
        *_PLAIN,
        Field("companyName", LOCALIZED),
        Field("headquartersLocation", LOCALIZED),
        Field("logoPath", Text()),
        Field("productName", LOCALIZED),
    ),
)  # fmt: skip
_CONNECTOR_FEATURE: Final = Shape("PaymentConnectorFeature", (ID, Field("displayName", Text())))
PAYMENT_CONNECTOR: Final = _static(
    "PaymentConnector", "/payment/connectors", "PaymentConnectors", "payment_connectors",
    (
        *_PLAIN,
        Field("dataCollectionType", OneOf.of("ONSITE OFFSITE")),
        Field("deprecated", Flag()),
        Field("deprecationReason", LOCALIZED),
        Field("paymentMethod", Link("PaymentMethod")),
        Field("paymentMethodBrand", Link("PaymentMethodBrand")),
        Field("primaryRiskTaker", OneOf.of("CUSTOMER MERCHANT THIRD_PARTY")),
        Field("processor", Link("PaymentProcessor")),
        Field("supportedCurrencies", Many(CurrencyCode())),
        Field("supportedCustomersPresences", Many(OneOf.of("NOT_PRESENT VIRTUAL_PRESENT PHYSICAL_PRESENT"))),
        Field("supportedFeatures", Many(Embedded(_CONNECTOR_FEATURE))),
    ),
)  # fmt: skip
SALES_CHANNEL: Final = _static(
    "SalesChannel", "/payment/sales-channels", "PaymentSalesChannels", "sales_channels", (*_PLAIN, _SORT_ORDER)
)
CONDITION_TYPE: Final = _static(
    "ConditionType", "/payment/condition-types", "ConditionTypes", "condition_types", _PLAIN
)

# ------------------------------------------------------------------ labels, values, documents

LABEL_DESCRIPTOR_GROUP: Final = _static(
    "LabelDescriptorGroup", "/label-descriptors/groups", "LabelDescriptors", "label_descriptor_groups",
    (*_PLAIN, Field("weight", int32())),
)  # fmt: skip
LABEL_DESCRIPTOR: Final = _static(
    "LabelDescriptor", "/label-descriptors", "LabelDescriptors", "label_descriptors",
    (
        *_PLAIN,
        Field("category", OneOf.of("HUMAN APPLICATION")),
        Field("features", Many(Link("Feature"))),
        Field("group", Link("LabelDescriptorGroup")),
        Field("type", Long(1)),
        Field("weight", int32()),
    ),
)  # fmt: skip
STATIC_VALUE: Final = _static(
    "StaticValue", "/static-values", "StaticValues", "static_values", (*_PLAIN, Field("features", Many(Long(1))))
)
DOCUMENT_TEMPLATE_TYPE: Final = _static(
    "DocumentTemplateType", "/document-templates/types", "DocumentTemplateTypes", "document_template_types",
    (
        ID,
        Field("title", LOCALIZED),
        DESCRIPTION,
        Field("feature", Link("Feature")),
        Field("group", Link("DocumentTemplateTypeGroup")),
    ),
)  # fmt: skip
DEBT_COLLECTOR: Final = _static(
    "DebtCollector", "/debt-collection/collectors", "DebtCollectors", "debt_collectors", _PLAIN
)

# ------------------------------------------------------------------ what others link to

_KINDS: Final = (
    _kind("DocumentTemplateTypeGroup", "document_template_type_groups", (ID, Field("title", LOCALIZED))),
    _kind(
        "FailureReason", "failure_reasons",
        (*_PLAIN, Field("category", OneOf.of("TEMPORARY_ISSUE INTERNAL END_USER CONFIGURATION DEVELOPER"))),
    ),
    _kind(
        "Feature", "features",
        (
            *_PLAIN,
            Field("beta", Flag()),
            Field("logoPath", Text()),
            Field("requiredFeatures", Many(Long(1))),
            _SORT_ORDER,
            Field("visible", Flag()),
        ),
    ),
    _kind("LabelDescriptorType", "label_descriptor_types"),
    _kind("DeliveryIndicationDecisionReason", "delivery_indication_decision_reasons"),
    _kind("TokenVersionType", "token_version_types", (*_PLAIN, Field("feature", Link("Feature")))),
    _kind("PaymentInformationHashType", "payment_information_hash_types", (ID, NAME)),
    _kind(
        "WalletType", "wallet_types",
        (*_PLAIN, Field("feature", Link("Feature")), Field("navigationPath", Text()), _SORT_ORDER),
    ),
    _kind("PaymentTerminalType", "payment_terminal_types"),
    _kind("ManualTaskType", "manual_task_types", (*_PLAIN, Field("features", Many(Link("Feature"))))),
    _kind("SubscriptionMetricType", "subscription_metric_types", (*_PLAIN, Field("feature", Long(1)))),
)  # fmt: skip

BY_CODE: Final = (COUNTRY, COUNTRY_STATE, CURRENCY, LANGUAGE)
"""Resources whose objects are named by a code and not by a number."""

BY_ID: Final = (
    LEGAL_ORGANIZATION_FORM, PAYMENT_METHOD, PAYMENT_METHOD_BRAND, PAYMENT_PROCESSOR, PAYMENT_CONNECTOR, SALES_CHANNEL,
    CONDITION_TYPE, LABEL_DESCRIPTOR_GROUP, LABEL_DESCRIPTOR, STATIC_VALUE, DOCUMENT_TEMPLATE_TYPE, DEBT_COLLECTOR,
)  # fmt: skip
"""Resources with the usual operations. Groups stand before what `{id}` would take them for."""

catalogue.declare(*BY_CODE, *BY_ID, *_KINDS)
