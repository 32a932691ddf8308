"""Accounts and their credentials, made by an operator: there is no self-registration and no public route."""
