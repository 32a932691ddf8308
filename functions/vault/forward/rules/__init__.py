"""The pure rules of the proxy: filling in a body, choosing headers, masking an echo."""
