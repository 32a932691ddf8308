"""Transactions, from the cart to the delivered order."""
