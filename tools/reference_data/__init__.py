"""Makes the reference tables of the shared layer from published packages. Never deployed."""
