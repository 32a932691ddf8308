"""What is kept for people: saved views, partnerships, themes, what was said at boarding, and what was consumed."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from payments.back_office.errors import LogoInvalid, ObjectNotFound, PeriodTooLong, StateInvalid
from payments.back_office.repository import OfficeRepository
from payments.engine import catalogue
from payments.engine.declarations import DELETED
from payments.engine.errors import BadParameters
from payments.engine.fields import now
from payments.engine.models import Context, Entity, Values
from payments.engine.repository import Objects
from payments.engine.search import read as read_search
from payments.engine.service import Change, Hooks
from payments.resources.back_office import ACCOUNT_THEME
from payments.units import repeated
from tollgate import clock, ids
from tollgate.errors import Invalid

MOST_COUNTED: Final = 100_000
MOST_LOGO_BYTES: Final = 200_000
_PICTURES: Final = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))

METRICS: Final = (
    (1472041829003, "Transaction", "Transactions", "Transactions that were created."),
    (1472041836176, "Charge", "Charges", "Charges that were begun."),
    (1472041839405, "Refund", "Refunds", "Refunds that were created."),
    (1472041806455, "Token", "Tokens", "Tokens that were created."),
    (1472041816898, "TransactionInvoice", "Invoices", "Invoices that were made."),
)
"""What is counted: number, resource, name, description."""


class ViewHooks(Hooks):
    """A saved view is a search that can be carried out."""

    def creating(self, change: Change) -> None:
        change.values["createdBy"] = change.context.user_id
        _require_search(change, change.values)

    def updating(self, change: Change) -> None:
        before = change.before.values if change.before else {}
        _require_search(change, {**before, **change.values})


def _require_search(change: Change, values: Mapping[str, Any]) -> None:
    resource = catalogue.find(values["entity"]) if re.fullmatch(r"[A-Z]\w{1,99}", values["entity"]) else None
    if resource is None or not resource.searchable:
        raise Invalid.at("entity", "must be the name of a resource that can be searched")
    try:
        read_search(
            resource, values.get("query") or "", values.get("order") or "",
            lambda each: change.context.can(each.permission_to("read")),
        )  # fmt: skip
    except BadParameters as broken:
        raise Invalid(broken.faults) from None


class PartnershipHooks(Hooks):
    """Partnerships of one of three types; none of a partner who takes none."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def creating(self, change: Change) -> None:
        change.values.update(type=self._kind, state="ACTIVE")

    def updating(self, change: Change) -> None:
        if change.before is not None and change.before.state == DELETED:
            raise StateInvalid


class PartnerHooks(Hooks):
    """A partner takes partnerships unless it is said that it does not."""

    def creating(self, change: Change) -> None:
        change.values.setdefault("enabled", True)


class Themes:
    """The theme of an account: colours and a logo."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def put(self, context: Context, given: Values, logo: bytes | None) -> Entity:
        """Make the theme, or replace it; without a logo the one that is there stays."""
        values: Values = {**given, "accountId": context.place.account_id, "hasLogo": logo is not None}
        if logo is not None:
            values.update(logoMimeType=_type_of(logo), logo=base64.b64encode(logo).decode())

        def attempt() -> Entity:
            scope, transaction = self._scope(context), self._objects.begin()
            before = self._objects.by_unique(ACCOUNT_THEME, scope, "accountId", str(context.place.account_id))
            if before is None:
                number = ids.new_number(clock.now())
                own = {"id": number, "version": 1, "createdOn": now()}
                after = Entity(ACCOUNT_THEME, scope, number, 1, {**own, **values})
                self._objects.insert(transaction, after)
            else:
                kept = {} if logo is not None else {"hasLogo": before.values["hasLogo"]}
                cleared = dict.fromkeys(("name", "primaryColor", "secondaryColor", "backgroundColor"))
                after = before.changed({**cleared, **values, **kept})
                self._objects.replace(transaction, before, after)
            transaction.commit()
            return after

        return repeated(attempt)

    def remove(self, context: Context, account: int) -> None:
        """Raises ObjectNotFound."""
        before = self._find(context, account)
        transaction = self._objects.begin()
        self._objects.remove(transaction, before)
        transaction.commit()

    def remove_logo(self, context: Context, account: int) -> None:
        """Raises ObjectNotFound: there is no theme, or it has no logo."""

        def attempt() -> None:
            before = self._find(context, account)
            if not before.values["hasLogo"]:
                raise ObjectNotFound
            after = before.changed({"hasLogo": False, "logo": None, "logoMimeType": None})
            transaction = self._objects.begin()
            self._objects.replace(transaction, before, after)
            transaction.commit()

        repeated(attempt)

    def _find(self, context: Context, account: int) -> Entity:
        found = None
        if account == context.place.account_id:
            found = self._objects.by_unique(ACCOUNT_THEME, self._scope(context), "accountId", str(account))
        if found is None:
            raise ObjectNotFound
        return found

    def _scope(self, context: Context) -> str:
        return context.place.scope_of(ACCOUNT_THEME)


def _type_of(logo: bytes) -> str:
    """The media type of a picture, by its first bytes; drawings that hold scripts are none."""
    if len(logo) > MOST_LOGO_BYTES:
        raise LogoInvalid.at("logo", f"must have at most {MOST_LOGO_BYTES} bytes")
    for start, media_type in _PICTURES:
        if logo.startswith(start):
            return media_type
    raise LogoInvalid.at("logo", "must be a PNG or JPEG picture")


class Boarding:
    """What an account says when it begins: about itself, and which plan it wants."""

    def __init__(self, repository: OfficeRepository) -> None:
        self._repository = repository

    def keep(self, context: Context, name: str, given: Mapping[str, Any]) -> None:
        self._repository.keep_boarding(context.place.account_id, name, given, now(), context.user_id)


class Consumption:
    """How much was used in a space."""

    def __init__(self, repository: OfficeRepository) -> None:
        self._repository = repository

    def between(self, context: Context, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Usage of all metrics in [start, end).

        Raises:
            Invalid: the end is before the start.
            PeriodTooLong: there is more than can be counted.
        """
        if end < start:
            raise Invalid.at("endDate", "must not be before the start")
        low, high = max(ids.number_at(start), 0), ids.number_at(end) - 1
        found = []
        for number, name, title, description in METRICS:
            resource = catalogue.find(name)
            if resource is None or not context.can(resource.permission_to("read")):
                continue
            count = self._repository.count(resource, context.place.scope_of(resource), low, high, MOST_COUNTED)
            if count > MOST_COUNTED:
                raise PeriodTooLong
            found.append(
                {
                    "consumedUnits": count, "metricDescription": {"en-US": description}, "metricId": number,
                    "metricName": {"en-US": title},
                }
            )  # fmt: skip
        return found
