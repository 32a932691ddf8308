"""Upkeep of data keys: re-wrapping them, and sealing old records under new ones."""
