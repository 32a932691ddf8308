"""Network tokens: their life at the token service provider, and the cryptograms that pay with them."""
