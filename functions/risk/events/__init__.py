"""Lifecycle events: what became of a payment after its decision."""
