"""The use cases of the back office."""
