"""What other groups may ask of configurations: the way of a payment, and what a new space begins with."""

from __future__ import annotations

from payments.configurations.service import Route, Routing, add_demonstration

__all__ = ["Route", "Routing", "add_demonstration"]
