"""SQL over what an account and the spaces below it hold: submitted, carried out later, fetched as CSV."""
