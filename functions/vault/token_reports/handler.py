"""The HTTP door of the reconciliation report: one route and its composition."""

from __future__ import annotations

from dataclasses import dataclass

from tollgate import aws, config
from tollgate.auth.identity import Identity
from tollgate.config import CallerSettings
from tollgate.dialects.vault import API_KEY_OR_BEARER, VAULT, Authenticator
from tollgate.http.app import App
from tollgate.http.message import Answer, Request
from tollgate.http.query import Parameter, plain_text, read
from tollgate.http.route import Route
from tollgate.log import Journal
from tollgate.store.table import Table
from vault.token_reports.clients.objects import ReportStore
from vault.token_reports.clients.orders import OrderQueue
from vault.token_reports.repository import ReportRepository
from vault.token_reports.service import ReportService
from vault.tokens.public import origins_of


@dataclass(frozen=True)
class ReportSettings(CallerSettings):
    """No key of the vault: a report holds nothing of a card."""

    vault_table: str
    reports_bucket: str
    report_queue_url: str


_settings = config.load(ReportSettings)
_service = ReportService(
    origins_of(_settings.vault_table),
    ReportRepository(Table(_settings.vault_table, aws.dynamodb())),
    ReportStore(aws.s3(), _settings.reports_bucket),
    OrderQueue(aws.sqs(), _settings.report_queue_url),
)

_PATH = "/reports/tokens"
_LONGEST_NAME = 36
_QUERY = (
    Parameter(
        "report", plain_text(_LONGEST_NAME), {"type": "string", "maxLength": _LONGEST_NAME},
        "The name of a report that is or will be written: a date (YYYY-MM-DD) for a daily one, or what a redirect says",
    ),
)  # fmt: skip
_SEE_OTHER = 303


def read_token_report(request: Request) -> Answer:
    """The origin of every token of the account, as CSV."""
    name = read(request.raw_query, _QUERY)["report"]
    if name is None:
        report = _service.at_once(request.account_id)
        if report is not None:
            disposition = {"content-disposition": 'attachment; filename="tokens.csv"'}
            return Answer(200, report, disposition, content_type="text/csv")
        return _redirect(f"{_PATH}?report={_service.order(request.account_id)}")
    return _redirect(_service.await_url(request.account_id, name) or f"{_PATH}?report={name}")


def _redirect(location: str) -> Answer:
    return Answer(_SEE_OTHER, headers={"location": location})


ROUTES = (
    Route(
        "GET", _PATH, read_token_report, "Token Import Report", API_KEY_OR_BEARER, query=_QUERY, answer=str,
        media_type="text/csv", failures=(401, 403, 404, 422, 503), tag="Reconciliation",
        description="All tokens of the account, annotated with `import_provider` and `business_key`. A report that is "
        "too large for one answer is written first: the answer is then 303, and a client that follows redirects "
        "receives the same CSV.",
    ),
)  # fmt: skip

handler = App(
    VAULT,
    ROUTES,
    authenticate=Authenticator(Identity.of(_settings)),
    journal=Journal("token-reports", _settings.log_level),
)
