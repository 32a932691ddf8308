"""Merchants: legal entities towards the card networks, the primary one first."""
