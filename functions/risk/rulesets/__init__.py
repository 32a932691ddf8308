"""Rulesets: drafted, activated, rolled back; one is active per context."""
