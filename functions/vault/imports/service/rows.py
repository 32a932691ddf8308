"""From rows to outcomes: which become tokens, which fail and why, and which have to wait.

Decides, records nothing. An unforeseen error in one row is that row's failure and not the job's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tollgate import clock
from vault.imports.clients.sources import Source
from vault.imports.errors import RowProblem, SourceBusy, SourceRefused
from vault.imports.models import PROVIDER, Entry, Failed
from vault.imports.rules import business_key_of, check_entry, read_card
from vault.tokens.public import NewCard

IsLive = Callable[[str], bool]
"""Whether a token of the account, by its id, still is there."""


@dataclass(frozen=True, slots=True)
class Good:
    """A row that may become a token. `instead_of` is the dead token that the original id stood for."""

    business_key: str
    new: NewCard
    instead_of: str | None = None


Outcome = Good | Failed


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Outcomes of the first rows of a batch, in order, and what kept the next one waiting."""

    outcomes: Sequence[Outcome]
    busy: SourceBusy | None


def evaluate(source: Source, batch: Sequence[Entry], earlier: Mapping[str, str], is_live: IsLive) -> Evaluated:
    """Judge a batch; `earlier` says which original ids became which tokens before.

    Raises:
        SourceRefused: the source serves this job no longer.
    """
    outcomes: list[Outcome] = []
    taken: set[str] = set()
    judge = _Judge(source, earlier, is_live)
    for entry, judged in zip(batch, _judged(judge, source, batch), strict=False):
        if isinstance(judged, SourceBusy):
            return Evaluated(outcomes, judged)
        if isinstance(judged, Good) and judged.business_key in taken:
            outcomes.append(_failed(entry, _DUPLICATE))
            continue
        if isinstance(judged, Good):
            taken.add(judged.business_key)
        outcomes.append(judged)
    return Evaluated(outcomes, None)


def gave_up(entry: Entry) -> Failed:
    """The outcome of a row that had to wait too often."""
    return _failed(entry, RowProblem("rate_limited", "The source kept refusing for too many requests"))


def lost(row: int | None) -> Failed:
    """The outcome of a row that was listed and cannot be read any more."""
    return Failed("source_error", "The prepared rows can no longer be read", None, row)


_DUPLICATE = RowProblem("duplicate", "This id has been imported before")


@dataclass(frozen=True, slots=True)
class _Judge:
    source: Source
    earlier: Mapping[str, str]
    is_live: IsLive

    def __call__(self, entry: Entry) -> Outcome | SourceBusy | SourceRefused:
        try:
            return self._good(entry)
        except RowProblem as problem:
            return _failed(entry, problem)
        except (SourceBusy, SourceRefused) as trouble:
            return trouble
        except Exception:  # whatever a strange row sets off, the other rows are none the worse for it
            return _failed(entry, RowProblem("unknown", "An unforeseen error"))

    def _good(self, entry: Entry) -> Good:
        key = check_entry(entry)
        before = self.earlier.get(key)
        if before is not None and self.is_live(before):
            raise _DUPLICATE
        card = read_card(self.source.fetch(entry), clock.now())
        return Good(key, NewCard(card, import_provider=PROVIDER, business_key=key), before)


def _judged(judge: _Judge, source: Source, batch: Sequence[Entry]) -> Iterator[Outcome | SourceBusy]:
    if source.fetches_at_once == 1:
        found: Iterator[Any] = map(judge, batch)
    else:
        with ThreadPoolExecutor(source.fetches_at_once) as pool:
            found = iter(list(pool.map(judge, batch)))
    for each in found:
        if isinstance(each, SourceRefused):
            raise each
        yield each


def _failed(entry: Entry, problem: RowProblem) -> Failed:
    return Failed(problem.reason, problem.message, business_key_of(entry), entry.row)
