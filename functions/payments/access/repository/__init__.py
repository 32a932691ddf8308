"""Rows of the directory by which every request of the family is decided (layout: `tollgate.auth.directory`)."""
