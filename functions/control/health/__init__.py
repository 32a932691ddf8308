"""Is it up, and what to say where nothing is."""
