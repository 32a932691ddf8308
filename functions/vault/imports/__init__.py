"""Imports of cards from another vault: jobs, their sources, their failures."""
