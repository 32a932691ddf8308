"""What builds and generates: the artifact, the pins, the reference data, the OpenAPI documents. Never deployed."""
