"""The other side: the Stripe API."""
