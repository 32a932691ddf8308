"""The buyer's way to the issuer and back."""
