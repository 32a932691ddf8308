"""The use cases of a transaction, by stage: drafts, charges, completions and voids, what comes after, what the clock
settles."""
