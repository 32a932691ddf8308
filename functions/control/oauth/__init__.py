"""The token endpoint: OAuth 2.0 client credentials in exchange for access tokens."""
