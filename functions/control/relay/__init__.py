"""From the outbox in the tables to the queues."""
