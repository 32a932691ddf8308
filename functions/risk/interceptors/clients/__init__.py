"""The acquirer that a request is on its way to."""
