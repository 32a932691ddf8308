"""Reminding of invoices that are not paid."""
