"""Writes the OpenAPI documents from the declarations that serve requests: `python -m tools.openapi`."""
