"""Stripe as an acquirer."""
