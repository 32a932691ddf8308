"""Authentications of cardholders by EMV 3-D Secure, for payments that are made elsewhere."""
