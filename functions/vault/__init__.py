"""The vault family: card data at rest, its tokens, and what leaves by way of them. Part of the card zone."""
