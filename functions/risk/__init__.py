"""Risk decisions: rulesets, conditions, velocity, blacklist, decisions (the Specter API)."""
