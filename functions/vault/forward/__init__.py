"""The compliance proxy: a caller's request goes on to a third party with the card filled in."""
