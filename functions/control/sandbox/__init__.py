"""The routes that exist only in a sandbox: provisioning over HTTP, the clock, and an inbox for callbacks."""
