"""The use cases of imports: jobs for their owners, steps for the queue, rows, forwarded cards, resumption."""
