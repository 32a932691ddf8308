"""Having debts collected by others."""
