"""What documents say, and how that is printed. Pure."""
