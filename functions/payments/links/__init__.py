"""Payment links: made by merchants, opened by buyers, each opening a transaction of its own."""
