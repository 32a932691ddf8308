"""What is sent to a backend, and what the answers of a group come to. Pure."""
