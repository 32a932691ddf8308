"""Models and field types that every family needs, and the one way in which a request body is read."""
