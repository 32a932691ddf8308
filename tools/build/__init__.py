"""Builds what is deployed: the dependencies layer, the shared layer and the functions, compiled and trimmed.

It knows folders and packages and nothing of what the code does. Nothing here is imported by deployed code.
"""
