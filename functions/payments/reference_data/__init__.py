"""Reference data: what is the same for every merchant."""
