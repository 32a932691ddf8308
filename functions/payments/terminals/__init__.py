"""Payment terminals: linked with devices, performing payments, adding up their day. In a sandbox they are simulated."""
