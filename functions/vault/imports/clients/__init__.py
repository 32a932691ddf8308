"""The outside of an import: its sources behind one port, its objects, its queue."""
