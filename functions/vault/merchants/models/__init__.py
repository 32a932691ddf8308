"""Shapes of the merchant resource as it is stored and answered ("Merchants" in the reference)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from tollgate.dialects.vault import Pagination

MOST_MERCHANTS = 10_000


MerchantType = Literal["primary", "submerchant"]


@dataclass(frozen=True, slots=True)
class Merchant:
    """A stored merchant. The encryption key is not part of it, only the nine characters that may be shown."""

    id: str
    account_id: str
    created_at: str
    sequence: int
    version: int
    type: MerchantType
    company_city: str
    country_code: str
    legal_name: str
    website_url: str
    three_ds_enabled: bool
    identity_and_verification_enabled: bool
    encryption_key_start: str
    default_currency: str | None = None
    default_merchant_id: str | None = None
    schemes: tuple[dict[str, Any], ...] = ()


class SchemeView(TypedDict):
    """The acquirer and requestor data of one scheme, as given."""

    name: str
    acquirer_bin: str | None
    requestor_id: str | None
    requestor_name: str | None
    category_code: str | None
    merchant_id: str | None
    merchant_name: str | None


class CreatedMerchant(TypedDict):
    """A merchant at its creation: the only answer with the whole `encryption_key`."""

    id: str
    created_at: str
    company_city: str
    country_code: str
    encryption_key: str
    legal_name: str
    website_url: str


MerchantView = TypedDict(
    "MerchantView",
    {
        "id": str,
        "created_at": str,
        "company_city": str,
        "country_code": str,
        "encryption_key": str,
        "legal_name": str,
        "website_url": str,
        "type": MerchantType,
        "identity_and_verification_enabled": bool,
        "3ds_enabled": bool,
        "default_currency": str | None,
        "default_merchant_id": str | None,
        "schemes": list[SchemeView],
    },
)
"""A merchant; its `encryption_key` shows nine characters and `[redacted]`."""


class MerchantPage(TypedDict):
    """A page of merchants."""

    data: list[MerchantView]
    pagination: Pagination
    current_page: int
    page_size: int
    total_items: int
    total_pages: int


def created(merchant: Merchant, encryption_key: str) -> CreatedMerchant:
    return {
        "id": merchant.id,
        "created_at": merchant.created_at,
        "company_city": merchant.company_city,
        "country_code": merchant.country_code,
        "encryption_key": encryption_key,
        "legal_name": merchant.legal_name,
        "website_url": merchant.website_url,
    }


def view(merchant: Merchant) -> MerchantView:
    """The public form, member by member."""
    return {
        "id": merchant.id,
        "created_at": merchant.created_at,
        "company_city": merchant.company_city,
        "country_code": merchant.country_code,
        "encryption_key": f"{merchant.encryption_key_start}[redacted]",
        "legal_name": merchant.legal_name,
        "website_url": merchant.website_url,
        "type": merchant.type,
        "identity_and_verification_enabled": merchant.identity_and_verification_enabled,
        "3ds_enabled": merchant.three_ds_enabled,
        "default_currency": merchant.default_currency,
        "default_merchant_id": merchant.default_merchant_id,
        "schemes": [scheme_view(each) for each in merchant.schemes],
    }


def scheme_view(scheme: dict[str, Any]) -> SchemeView:
    return {
        "name": scheme["name"],
        "acquirer_bin": scheme.get("acquirer_bin"),
        "requestor_id": scheme.get("requestor_id"),
        "requestor_name": scheme.get("requestor_name"),
        "category_code": scheme.get("category_code"),
        "merchant_id": scheme.get("merchant_id"),
        "merchant_name": scheme.get("merchant_name"),
    }
