"""What can go wrong when a card is to come in."""

from __future__ import annotations

from tollgate.errors import Invalid


class NoDevice(Invalid):
    """Outside a sandbox there is no simulated terminal."""

    default_message = "There is no terminal device"
