"""Integrations: where external risk backends are reached, what they are asked, what they are told."""
