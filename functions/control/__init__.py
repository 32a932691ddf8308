"""The control plane: what operators, schedules, streams and sandboxes need, beside the five families."""
