"""The access control server of a sandbox: an issuer that decides by the card, with a challenge for the cardholder."""
