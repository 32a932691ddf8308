"""Tokens: payment details on file, and their versions."""
