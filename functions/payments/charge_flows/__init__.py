"""Charge flows: a payment is come back to, level by level, until somebody pays or no level is left."""
