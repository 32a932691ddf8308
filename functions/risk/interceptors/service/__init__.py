"""Use cases: interceptors and their versions, and requests that pass through."""
