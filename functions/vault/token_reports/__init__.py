"""The reconciliation report: which token came from where, as CSV, on request and every day."""
