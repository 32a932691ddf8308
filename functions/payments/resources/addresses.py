"""Postal addresses, as customers, transactions and subscribers carry them (fact file 2.16, `Address`)."""

from __future__ import annotations

from typing import Final

from payments.engine.fields import CountryCode, Day, Email, Field, Link, OneOf, Shape, Text

_FIELDS: Final = (
    Field("city", Text(100)),
    Field("commercialRegisterNumber", Text(100)),
    Field("country", CountryCode()),
    Field("dateOfBirth", Day()),
    Field("dependentLocality", Text(100)),
    Field("emailAddress", Email(254)),
    Field("familyName", Text(100)),
    Field("gender", OneOf.of("MALE FEMALE")),
    Field("givenName", Text(100)),
    Field("legalOrganizationForm", Link("LegalOrganizationForm")),
    Field("mobilePhoneNumber", Text(100)),
    Field("organizationName", Text(100)),
    Field("phoneNumber", Text(100)),
    Field("postalState", Text(100)),
    Field("postcode", Text(40)),
    Field("salesTaxNumber", Text(100)),
    Field("salutation", Text(20)),
    Field("socialSecurityNumber", Text(100)),
    Field("sortingCode", Text(100)),
    Field("street", Text(300)),
)

ADDRESS: Final = Shape("Address", _FIELDS)
"""Read and written in the same form."""
