"""The declarations of the family's resources, one module per part. They hold data alone: no behaviour, no storage.

A part is loaded when first asked for (`payments.engine.catalogue`), and declares what it holds.
"""
