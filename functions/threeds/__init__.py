"""Standalone 3-D Secure: the 3-D Secure server, and simulators of the parties it speaks to."""
