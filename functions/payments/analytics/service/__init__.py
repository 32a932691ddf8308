"""The use cases of analytics: what its owner asks for, and how a worker carries a query out."""
