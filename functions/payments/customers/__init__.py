"""Customers of a space: their addresses, comments, e-mail addresses, merging and bulk operations."""
