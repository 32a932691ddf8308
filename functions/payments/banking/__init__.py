"""Bank accounts, what is booked on them, and what a booking stands for."""
