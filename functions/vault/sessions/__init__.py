"""Token sessions: a browser or app hands over a card, encrypted, and the merchant's server never sees it."""
