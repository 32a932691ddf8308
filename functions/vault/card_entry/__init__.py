"""Ways for a card to come in that other families start: a payer's browser, and in a sandbox a terminal's reader."""
