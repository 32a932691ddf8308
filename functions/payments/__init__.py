"""The payments family: resources of spaces and accounts over one engine."""
