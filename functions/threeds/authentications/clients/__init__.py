"""Who an authentication is asked of."""
