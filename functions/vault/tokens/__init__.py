"""Cardholder data in exchange for tokens: import, list, read, delete."""
