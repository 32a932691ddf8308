"""The outside of the reports: their objects and their queue."""
