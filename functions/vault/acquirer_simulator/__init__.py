"""The sandbox's acquirer: deterministic, chosen by card number and amount."""
