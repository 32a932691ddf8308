"""Upkeep of data keys: walks over their owners, wraps old keys anew, seals old records under new keys.

KMS opens what it has wrapped under any of its key material, so nothing here is urgent and nothing is lost by stopping:
each run goes on where the last one stopped, and repeating a step changes nothing. Old data keys are kept; a record that
a function sealed under one at the last moment must open for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from tollgate import clock
from tollgate.crypto.keyring import CACHE_SECONDS, Keyring, Resealed
from tollgate.errors import Invalid
from tollgate.models.fields import validated
from vault.keys.errors import NoSuchOwner
from vault.keys.models import COMMANDS, Report, Resealing, RotateDataKey, Walk
from vault.keys.repository import UpkeepRepository
from vault.merchants.public import MerchantService
from vault.tokens.public import TokenService

CARDS: Final = "cards"
OWNERS_PER_PAGE: Final = 100
RECORDS_PER_PAGE: Final = 100
MOST_OWNERS_COUNTED: Final = 10_000

BETWEEN_WALKS: Final = timedelta(hours=1)
LONGEST_UNDER_ONE_MATERIAL: Final = timedelta(days=90)
"""KMS rotates its key material once a year by itself; a data key follows within this time."""

SETTLED_AFTER: Final = timedelta(seconds=2 * CACHE_SECONDS)
"""How old a data key must be before old records follow: until then a function may still seal under the one before."""

HasTime = Callable[[], bool]


class KeyUpkeep:
    """Keeps the keyrings of the vault, and the platform's, in order. `keyrings` by name; records of `cards` are sealed
    anew, those of the others do not live long."""

    def __init__(
        self,
        repository: UpkeepRepository,
        keyrings: Mapping[str, Keyring],
        tokens: TokenService,
        merchants: MerchantService,
        on_fault: Callable[[Exception], None],
    ) -> None:
        self._repository = repository
        self._keyrings = keyrings
        self._on_fault = on_fault
        self._tokens = tokens
        self._merchants = merchants

    # ------------------------------------------------------------------ what an operator asks for

    def carry_out(self, payload: Any) -> dict[str, Any]:
        """Check an operator's payload and carry it out.

        Raises:
            Invalid, NoSuchOwner: nothing was changed.
        """
        action = payload.get("action")
        model = COMMANDS.get(action) if isinstance(action, str) else None
        if model is None:
            raise Invalid.at("$.action", f"must be one of {', '.join(COMMANDS)}")
        command = validated(model, dict(payload))
        if isinstance(command, RotateDataKey):
            return self._rotate(command.account_id)
        now = clock.iso(clock.now())
        for name in self._keyrings:
            self._repository.demand(name, now)
        return {"rewrap_before": now}

    def _rotate(self, account_id: str) -> dict[str, Any]:
        keyring = self._keyrings[CARDS]
        if keyring.newest(account_id) is None:
            raise NoSuchOwner
        number = keyring.rotate(account_id)
        self._repository.demand(CARDS, None)
        return {"id": account_id, "data_key": number}

    # ------------------------------------------------------------------ what the schedule does

    def run(self, has_time: HasTime) -> Report:
        """Go on with every walk that is under way or due, for as long as there is time."""
        report = Report()
        for name, keyring in self._keyrings.items():
            walk = self._repository.walk(name)
            if has_time() and _is_due(walk):
                self._walk(walk, keyring, has_time, report)
        return report

    def _walk(self, walk: Walk, keyring: Keyring, has_time: HasTime, report: Report) -> None:
        reached = walk.reached
        while owners := keyring.owners(reached, OWNERS_PER_PAGE):
            for owner in owners:
                if not has_time() or not self._visit(walk, owner, keyring, has_time, report):
                    self._repository.reach(walk.keyring, reached)
                    report.owners_left += len(keyring.owners(reached, MOST_OWNERS_COUNTED))
                    return
                reached = owner
            self._repository.reach(walk.keyring, reached)
        self._repository.end(walk.keyring, clock.iso(clock.now()))

    def _visit(self, walk: Walk, owner: str, keyring: Keyring, has_time: HasTime, report: Report) -> bool:
        """Do what there is to do for an owner; False when time ran out first. What fails here must not keep the
        others."""
        try:
            report.rewrapped += keyring.rewrap(owner, wrapped_before=_rewrap_before(walk))
            return walk.keyring != CARDS or self._reseal(owner, keyring, has_time, report)
        except Exception as fault:
            self._on_fault(fault)
            report.failed += 1
            return True

    def _reseal(self, account_id: str, keyring: Keyring, has_time: HasTime, report: Report) -> bool:
        """Seal an account's old records under its newest data key; False when time ran out first."""
        newest = keyring.newest(account_id)
        if newest is None or newest[0] == 1 or not _is_settled(newest[1]):
            return True
        state = self._repository.resealing(account_id)
        if state.done >= newest[0]:
            return True
        if state.target != newest[0]:
            state = Resealing(account_id, state.done, newest[0])
        while has_time():
            tokens = self._tokens.reseal(account_id, state.tokens, RECORDS_PER_PAGE)
            merchants = self._merchants.reseal(account_id, state.merchants, RECORDS_PER_PAGE)
            report.resealed += tokens.changed + merchants.changed
            report.unreadable += tokens.unreadable + merchants.unreadable
            state = _advanced(state, tokens, merchants)
            self._repository.save(state)
            if state.done == state.target:
                return True
            report.records_left = tokens.left + merchants.left
        return False


def _advanced(state: Resealing, tokens: Resealed, merchants: Resealed) -> Resealing:
    further = replace(state, tokens=tokens.reached, merchants=merchants.reached)
    return further if tokens.left or merchants.left else replace(further, done=state.target)


def _is_due(walk: Walk) -> bool:
    """A walk under way goes on; a new one starts an hour after the last, or on demand."""
    return bool(walk.reached) or walk.ended_at is None or walk.ended_at <= _ago(BETWEEN_WALKS)


def _rewrap_before(walk: Walk) -> str:
    return max(walk.rewrap_before or "", _ago(LONGEST_UNDER_ONE_MATERIAL))


def _is_settled(created_at: str) -> bool:
    return created_at <= _ago(SETTLED_AFTER)


def _ago(step: timedelta) -> str:
    return clock.iso(clock.now() - step)
