"""Encryption under KMS-wrapped data keys, and keyed digests."""
