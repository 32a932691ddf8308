"""The resource engine: one declaration per resource gives its routes, checks, search, paging, expansion and documents.

Family-level: every group of the family builds on it, and it knows no group. Start at `declarations`, then `routes`.
"""
