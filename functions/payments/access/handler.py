"""The HTTP door of accounts, spaces, users, roles and permissions, and the family's 404 for what nobody else has."""

from __future__ import annotations

from tollgate import config
from tollgate.config import PaymentsSettings
from tollgate.dialects.payments import PAYMENTS, Authenticator
from tollgate.http.app import App
from tollgate.http.route import Route
from tollgate.log import Journal

_settings = config.load(PaymentsSettings)

ROUTES: tuple[Route, ...] = ()

handler = App(
    PAYMENTS,
    ROUTES,
    journal=Journal("payments-access", _settings.log_level),
    authenticate=Authenticator.of(_settings),
)
