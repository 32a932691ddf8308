"""Use cases: integrations, asking backends, telling backends."""
