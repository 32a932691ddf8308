"""A table of figures: what was measured, the figure, and what it is held against."""

from __future__ import annotations

import importlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """One section of the report."""

    title: str
    text: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        lines = [f"## {self.title}", "", self.text, ""] if self.text else [f"## {self.title}", ""]
        lines.append("| " + " | ".join(self.columns) + " |")
        lines.append("|" + "|".join(" --- " for _ in self.columns) + "|")
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(lines)


def ms(seconds: Sequence[float]) -> str:
    """The median, in milliseconds."""
    return f"{statistics.median(seconds) * 1000:.2f}"


def spread(seconds: Sequence[float]) -> str:
    """Median and 95th percentile, in milliseconds."""
    ordered = sorted(seconds)
    return f"{ms(ordered)} / {ordered[int(len(ordered) * 0.95)] * 1000:.2f}"


def measured(module: str) -> list[Table]:
    """What one module of this folder measures."""
    tables: list[Table] = importlib.import_module(f"bench.{module}").run()
    return tables
