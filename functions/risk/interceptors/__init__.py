"""Interceptors: decide on requests to an acquirer while they pass through."""
