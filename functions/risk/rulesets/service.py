"""What can be done with rulesets: the only place that sequences rules and writes."""

from __future__ import annotations

from dataclasses import replace

from risk.rulesets import rules
from risk.rulesets.errors import NotDraft, NotInactive, Overtaken, RulesetNotFound
from risk.rulesets.models import Ruleset, RulesetView, Status, view
from risk.rulesets.repository import RulesetRepository
from tollgate import clock, ids
from tollgate.auth.instances import Instance
from tollgate.errors import Contended, Forbidden
from tollgate.http.message import encode
from tollgate.store.idempotency import Once

MOST_CONTEXTS = 100
_ATTEMPTS = 10
_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


class RulesetService:
    """Use cases of the ruleset resource."""

    def __init__(self, repository: RulesetRepository) -> None:
        self._repository = repository

    def create(self, instance: Instance, created_by: str, body: object, once: Once) -> RulesetView:
        """A new draft, whose version is one more than the last of its context."""
        members = rules.read_body(body, connect=instance.is_connect, context=None)
        for _ in range(_ATTEMPTS):
            ruleset = Ruleset(
                id=ids.new_uuid(),
                account_id=instance.account_id,
                created_by=created_by,
                created_at=clock.now().strftime(_STAMP),
                version=self._repository.last_version(instance.account_id, members["context"]) + 1,
                **members,
            )
            answer = view(ruleset)
            transaction = self._repository.begin()
            once.remember(transaction, encode(answer))
            self._repository.insert(transaction, ruleset)
            try:
                transaction.commit()
            except Overtaken:
                continue
            return answer
        raise Contended

    def require(self, account_id: str, ruleset_id: str) -> Ruleset:
        """A ruleset of the account, or RulesetNotFound."""
        ruleset = self._repository.find(account_id, ruleset_id.lower()) if ids.is_uuid(ruleset_id) else None
        if ruleset is None:
            raise RulesetNotFound
        return ruleset

    def active(self, account_id: str, context: str) -> Ruleset | None:
        """The ruleset that decides in a context: its own, else that of `default`, else none."""
        contexts = self._repository.active(account_id).get("contexts", {})
        chosen = contexts.get(context) or contexts.get("default")
        return self._repository.find(account_id, chosen["id"]) if chosen else None

    def page(self, account_id: str, after: str | None, limit: int) -> tuple[list[RulesetView], str | None]:
        """A page behind a place, and the place that the next one begins behind."""
        found, last = self._repository.page(account_id, after, limit)
        return [view(ruleset) for ruleset in found], last

    def update(self, instance: Instance, before: Ruleset, body: object) -> RulesetView:
        """Change a draft: members that are given take the place of the former ones.

        Raises:
            NotDraft: it was activated.
            Invalid: the body does not hold.
        """
        if before.status != "DRAFT":
            raise NotDraft
        members = rules.read_body(body, connect=instance.is_connect, context=before.context)
        for _ in range(_ATTEMPTS):
            after = replace(before, revision=before.revision + 1, **members)
            transaction = self._repository.begin()
            self._repository.replace(transaction, before, after)
            try:
                transaction.commit()
            except Overtaken:
                before = self.require(instance.account_id, before.id)
                continue
            return view(after)
        raise Contended

    def activate(self, instance: Instance, ruleset_id: str, once: Once) -> RulesetView:
        """Make a draft the active ruleset of its context.

        Raises:
            NotDraft: it is none (any more).
            Invalid: a rule of it could never fire.
        """
        return self._put_in_force(instance, ruleset_id, "DRAFT", once)

    def rollback(self, instance: Instance, ruleset_id: str, once: Once) -> RulesetView:
        """Make a ruleset active again that was.

        Raises:
            NotInactive: it never was, or is.
        """
        return self._put_in_force(instance, ruleset_id, "INACTIVE", once)

    def _put_in_force(self, instance: Instance, ruleset_id: str, expected: Status, once: Once) -> RulesetView:
        for _ in range(_ATTEMPTS):
            ruleset = self.require(instance.account_id, ruleset_id)
            if ruleset.status != expected:
                raise NotDraft if expected == "DRAFT" else NotInactive
            rules.require_sound(ruleset, connect=instance.is_connect)
            active = self._repository.active(instance.account_id)
            contexts = active.get("contexts", {})
            if contexts.get(ruleset.context, {}).get("id") == ruleset.id:
                continue  # another caller was first, between our two reads; the next look says so
            if ruleset.context not in contexts and len(contexts) >= MOST_CONTEXTS:
                raise Forbidden(f"An account has at most {MOST_CONTEXTS} contexts with an active ruleset")
            at = clock.iso(clock.now())
            answer = view(replace(ruleset, status="ACTIVE", activated_at=at))
            transaction = self._repository.begin()
            once.remember(transaction, encode(answer))
            counted = rules.counted_by(ruleset.rules)
            self._repository.activate(transaction, ruleset, active, counted, at, expected)
            try:
                transaction.commit()
            except Overtaken:
                continue
            return answer
        raise Contended
