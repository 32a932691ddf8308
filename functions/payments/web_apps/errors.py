"""What can go wrong with web apps beyond what the engine refuses."""

from __future__ import annotations

from payments.engine.errors import ObjectNotFound, StateInvalid, VersionConflict
from tollgate.errors import Invalid, NotFound

__all__ = ["CodeUnknown", "NotInstalled", "ObjectNotFound", "StateInvalid", "VersionConflict"]


class NotInstalled(Invalid):
    """The application user is no web app of this space (422): not a lack of rights, which would be 403."""

    def __init__(self) -> None:
        super().__init__((), "The web app is not installed in this space", code="web_app_not_installed")


class CodeUnknown(NotFound):
    """There is no such activation code, its time is over, or it was used."""

    default_message = "The activation code is not valid (any more)"
