"""The port to a Link instance, with its simulator and its HTTP adapter beside it, and the queue of work."""
