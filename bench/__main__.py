"""Runs every module of this folder that has `run()` and writes docs/benchmarks.md. Names as arguments choose some."""

from __future__ import annotations

import importlib
import pkgutil
import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import bench
from bench.report import Table, measured

TARGET = Path(__file__).resolve().parents[1] / "docs/benchmarks.md"
_HEAD = """# Benchmarks

Written by `make bench`; run it to repeat them. Read ratios, not milliseconds: everything runs on one machine, which
drives the load too, and a local DynamoDB answers faster than the real one. What carries over to AWS: ratios, round
trips, capacity units.

Machine: {machine}, {cores} cores, Python {python}.
"""


def main(chosen: list[str]) -> int:
    import os

    found: list[Table] = []
    # A process for each: what one has imported belongs to its own database.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for module in pkgutil.iter_modules(bench.__path__):
            if module.name.startswith("_") or (chosen and module.name not in chosen):
                continue
            if hasattr(importlib.import_module(f"bench.{module.name}"), "run"):
                print(f"measuring {module.name} …", flush=True)
                found += pool.submit(measured, module.name).result()
    text = "\n\n".join(table.markdown() for table in found) + "\n"
    print(text)
    if not chosen:
        head = _HEAD.format(machine=platform.machine(), cores=os.cpu_count(), python=platform.python_version())
        TARGET.write_text(head + "\n" + text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
