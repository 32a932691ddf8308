"""Bodies of the merchant resource ("Merchants" in the reference; scheme members and limits from EMV 3-D Secure).

A PATCH is partial (RFC 7396): what is absent stays, `null` unsets an optional member, and a body with every required
member works too, as the reference marks them. Apart from the other shapes, because only two routes need validation.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tollgate.models.fields import CountryCode, CurrencyCode, HttpUrl, NonEmptyStr, RequestModel, Text

MOST_SCHEMES = 20

SchemeName = Literal["visa", "mastercard", "amex", "american express", "discover", "diners", "jcb", "unionpay"]

Text35 = Annotated[str, Text(35)]
Text40 = Annotated[str, Text(40)]


class MerchantScheme(RequestModel):
    """The EMV 3-D Secure acquirer and requestor data of one scheme."""

    name: SchemeName
    acquirer_bin: Annotated[str, Field(pattern=r"^[0-9]{4,11}$")] | None = None
    requestor_id: Text35 | None = None
    requestor_name: Text40 | None = None
    category_code: Annotated[str, Field(pattern=r"^[0-9]{4}$")] | None = None
    merchant_id: Text35 | None = None
    merchant_name: Text40 | None = None


Schemes = Annotated[list[MerchantScheme], Field(max_length=MOST_SCHEMES)]


class CreateMerchant(RequestModel):
    """A new merchant."""

    company_city: NonEmptyStr
    country_code: CountryCode
    legal_name: NonEmptyStr
    website_url: HttpUrl
    three_ds_enabled: Annotated[bool, Field(alias="3ds_enabled")]
    identity_and_verification_enabled: bool | None = None
    default_currency: CurrencyCode | None = None
    default_merchant_id: NonEmptyStr | None = None
    schemes: Schemes | None = None


class UpdateMerchant(RequestModel):
    """Members to change."""

    company_city: NonEmptyStr = None  # type: ignore[assignment]
    country_code: CountryCode = None  # type: ignore[assignment]
    legal_name: NonEmptyStr = None  # type: ignore[assignment]
    website_url: HttpUrl = None  # type: ignore[assignment]
    three_ds_enabled: Annotated[bool, Field(alias="3ds_enabled")] = None  # type: ignore[assignment]
    identity_and_verification_enabled: bool | None = None
    default_currency: CurrencyCode | None = None
    default_merchant_id: NonEmptyStr | None = None
    schemes: Schemes | None = None
