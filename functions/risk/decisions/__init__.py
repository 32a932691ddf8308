"""Decisions: made, read, resolved once."""
