"""The egress guard: the only way by which a function calls a destination that somebody else has named."""

from tollgate.egress.failures import (
    BadAnswer,
    EgressFailure,
    RequestRefused,
    ResolverDown,
    TargetRefused,
    TimedOut,
)
from tollgate.egress.guard import Egress, Target
from tollgate.egress.urls import is_allowed, is_prefix
from tollgate.egress.wire import Answer

__all__ = [
    "Answer",
    "BadAnswer",
    "Egress",
    "EgressFailure",
    "RequestRefused",
    "ResolverDown",
    "Target",
    "TargetRefused",
    "TimedOut",
    "is_allowed",
    "is_prefix",
]
