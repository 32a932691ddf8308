"""Payers of other families' checkouts, authenticated by invocation."""
