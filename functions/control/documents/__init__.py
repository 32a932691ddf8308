"""The OpenAPI documents, one per family, as generated and committed."""
