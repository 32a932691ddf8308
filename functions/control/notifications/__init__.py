"""What happened to an account's objects, told to its endpoint: recorded, signed, delivered, repeated, looked up."""
