"""The directory server of a sandbox: a component of its own that speaks the standard's messages and nothing else."""
