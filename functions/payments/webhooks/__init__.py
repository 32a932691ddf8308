"""Webhooks of a space: addresses, listeners, identities with their keys, and handing changes on to who listens."""
