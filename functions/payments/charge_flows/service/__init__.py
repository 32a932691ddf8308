"""The use cases of charge flows: what is configured, what happens to a transaction, what is sent."""
