"""How much of the published operations of the payments API there is. Never deployed."""
