"""Measurements, as ratios within one run: `make bench` writes them to docs/benchmarks.md."""
