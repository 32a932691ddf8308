"""The doors of what belongs to payments: one function for the paths, one for the clock."""
