"""Use cases of the group, by what they are about. Objects are the engine's; here is what else a change of one means."""
