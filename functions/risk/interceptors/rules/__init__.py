"""What of a passing request becomes a decision, is kept, goes on and comes back. Pure."""
