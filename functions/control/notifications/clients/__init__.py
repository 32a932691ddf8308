"""What notifications need of the outside: the receiver's endpoint, and the queue that starts a delivery at once."""
