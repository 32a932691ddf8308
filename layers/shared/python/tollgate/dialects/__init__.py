"""How each family talks: one module per dialect."""
