"""The time machine: what a ruleset would have made of decisions that were made."""
