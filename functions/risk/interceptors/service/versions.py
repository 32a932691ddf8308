"""What can be done with interceptors: the only place that sequences rules and writes of them.

Only a draft can be changed; what was active once stays as it was, so that it can be rolled back to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from risk.interceptors.errors import (
    InterceptorNotFound,
    NotDraft,
    NotInactive,
    Overtaken,
    TooManyInterceptors,
)
from risk.interceptors.models import (
    CreateInterceptor,
    Interceptor,
    InterceptorView,
    Status,
    UpdateInterceptor,
    view,
)
from risk.interceptors.repository import InterceptorRepository, active_of
from risk.interceptors.rules import mapping
from tollgate import clock, ids
from tollgate.errors import Contended, Invalid
from tollgate.http.message import encode
from tollgate.store.idempotency import Once

MOST_VERSIONS: Final = 1000
_ATTEMPTS: Final = 10
_STAMP: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


class InterceptorService:
    """Use cases of the interceptor resource. `check` refuses a destination that may not be called."""

    def __init__(self, repository: InterceptorRepository, check: Callable[[str], None]) -> None:
        self._repository = repository
        self._check = check

    def create(self, account_id: str, wanted: CreateInterceptor, once: Once) -> InterceptorView:
        """A new interceptor, or the next version of one.

        Raises:
            Invalid: the mapping or the destination cannot be, or `ref` is no interceptor of the account.
        """
        mapping.check(wanted.field_mapping)
        _check_responses(wanted.responses.undecided, wanted.field_mapping)
        self._check(wanted.destination.url)
        for _ in range(_ATTEMPTS):
            reference = self._repository.reference(account_id, wanted.ref) if wanted.ref else {}
            if wanted.ref and not reference:
                raise Invalid.at("$.ref", "must be the reference of an interceptor")
            if reference.get("version", 0) >= MOST_VERSIONS:
                raise TooManyInterceptors
            interceptor = _new(account_id, wanted, reference.get("version", 0) + 1)
            answer = view(interceptor, [])
            transaction = self._repository.begin()
            once.remember(transaction, encode(answer))
            self._repository.insert(transaction, interceptor, reference)
            try:
                transaction.commit()
            except Overtaken:
                continue
            return answer
        raise Contended

    def require(self, account_id: str, interceptor_id: str) -> Interceptor:
        """A version of the account, or InterceptorNotFound."""
        found = self._repository.find(account_id, interceptor_id.lower()) if ids.is_uuid(interceptor_id) else None
        if found is None:
            raise InterceptorNotFound
        return found

    def show(self, interceptor: Interceptor) -> InterceptorView:
        return view(interceptor, self._repository.discovered(interceptor.account_id, [interceptor.id])[interceptor.id])

    def page(self, account_id: str, after: str | None, limit: int) -> tuple[list[InterceptorView], str | None]:
        """A page behind a place, and the place that the next one begins behind."""
        found, last = self._repository.page(account_id, after, limit)
        keys = self._repository.discovered(account_id, [each.id for each in found])
        return [view(each, keys[each.id]) for each in found], last

    def update(self, before: Interceptor, wanted: UpdateInterceptor) -> InterceptorView:
        """Change a draft: members that are given take the place of the former ones.

        Raises:
            NotDraft: it is none.
            Invalid: as for `create`.
        """
        if before.status != "DRAFT":
            raise NotDraft
        given = {name: getattr(wanted, name) for name in wanted.model_fields_set}
        if "field_mapping" in given:
            mapping.check(wanted.field_mapping)
        if "destination" in given:
            self._check(wanted.destination.url)
        changed = wanted.model_dump(include=set(given))
        for _ in range(_ATTEMPTS):
            stamp = clock.now().strftime(_STAMP)
            after = replace(before, revision=before.revision + 1, updated_at=stamp, **changed)
            _check_responses(after.responses.get("undecided"), after.field_mapping)
            transaction = self._repository.begin()
            self._repository.replace(transaction, before, after)
            try:
                transaction.commit()
            except Overtaken:
                before = self.require(before.account_id, before.id)
                continue
            return self.show(after)
        raise Contended

    def activate(self, account_id: str, interceptor_id: str, once: Once) -> InterceptorView:
        """Put a draft in force. Raises NotDraft: it is none (any more)."""
        return self._put_in_force(account_id, interceptor_id, "DRAFT", once)

    def rollback(self, account_id: str, interceptor_id: str, once: Once) -> InterceptorView:
        """Put a version in force again that was. Raises NotInactive: it never was, or is."""
        return self._put_in_force(account_id, interceptor_id, "INACTIVE", once)

    def _put_in_force(self, account_id: str, interceptor_id: str, expected: Status, once: Once) -> InterceptorView:
        for _ in range(_ATTEMPTS):
            before = self.require(account_id, interceptor_id)
            if before.status != expected:
                raise NotDraft if expected == "DRAFT" else NotInactive
            reference = self._repository.reference(account_id, before.ref)
            active = active_of(reference)
            if active is not None and active.id == before.id:
                continue  # another caller was first, between our two reads; the next look says so
            stamp = clock.now().strftime(_STAMP)
            after = replace(before, status="ACTIVE", revision=before.revision + 1, updated_at=stamp)
            answer = self.show(after)
            transaction = self._repository.begin()
            once.remember(transaction, encode(answer))
            self._repository.activate(transaction, after, reference, expected)
            try:
                transaction.commit()
            except Overtaken:
                continue
            return answer
        raise Contended

    def delete(self, account_id: str, interceptor_id: str) -> None:
        """Remove a version. With the active one, requests to its reference find nothing any more."""
        for _ in range(_ATTEMPTS):
            interceptor = self.require(account_id, interceptor_id)
            reference = self._repository.reference(account_id, interceptor.ref)
            transaction = self._repository.begin()
            self._repository.delete(transaction, interceptor, reference)
            try:
                transaction.commit()
            except Overtaken:
                continue
            return
        raise Contended


def _check_responses(undecided: object, mappings: Sequence[object]) -> None:
    """Without a mapping every request goes on, so that an answer for some would never be given."""
    if undecided is not None and not mappings:
        raise Invalid.at("$.responses.undecided", "must not be given without a field mapping")


def _new(account_id: str, wanted: CreateInterceptor, version: int) -> Interceptor:
    stamp = clock.now().strftime(_STAMP)
    members: dict[str, Any] = wanted.model_dump(
        include={"context", "destination", "description", "field_mapping", "responses"}
    )
    return Interceptor(
        id=ids.new_uuid(),
        account_id=account_id,
        ref=wanted.ref or ids.new_uuid(),
        version=version,
        inserted_at=stamp,
        updated_at=stamp,
        status="ACTIVE" if wanted.active else "DRAFT",
        **members,
    )
