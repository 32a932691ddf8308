"""The outside of analytics: the queue of queries, the bucket of results, and the process that carries one out."""
