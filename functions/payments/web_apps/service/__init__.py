"""The use cases of web apps."""
