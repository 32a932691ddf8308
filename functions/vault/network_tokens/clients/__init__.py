"""The token service provider as a port, with its simulator and an adapter beside it."""
