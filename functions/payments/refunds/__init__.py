"""Refunds: what was completed is paid back, wholly or in part."""
