"""The machine under `make run`: everything that stands in for the cloud on one laptop. Not deployed; knows no business.

It reads `template.yaml` and serves it: our own front door and workers for the functions, dynoxide for the tables,
ministack for queues, keys and buckets. What is chosen and why: docs/decisions/0003-local-machine.md.
"""
