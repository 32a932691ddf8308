"""Webhooks: who hears of decisions."""
