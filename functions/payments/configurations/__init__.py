"""How a space takes payments: method, processor and connector configurations."""
