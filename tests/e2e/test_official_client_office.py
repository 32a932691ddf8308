"""The published Python client, unmodified, in the back office: analytics, documents, debt collection, web apps."""

from __future__ import annotations

import base64
import urllib.request
import uuid

import pytest
from wallee import (
    AnalyticsQueriesService,
    AnalyticsQueryExecutionRequest,
    BankAccountsService,
    DebtCollectionCaseCreate,
    DebtCollectionCasesService,
    DebtCollectorConfigurationCreate,
    DebtCollectorConfigurationsService,
    DocumentTemplatesService,
    DunningCasesService,
    LineItemCreate,
    ManualTasksService,
    WebAppsService,
)
from wallee.exceptions import UnprocessableEntityException

from tests.e2e.stack import Stack
from tests.e2e.test_official_client import Shop


@pytest.fixture
def shop(stack: Stack) -> Shop:
    return Shop(stack, "demo")


def test_a_query_from_submission_to_download(shop: Shop) -> None:
    service, name = shop.use(AnalyticsQueriesService), str(uuid.uuid4())
    asked = AnalyticsQueryExecutionRequest(sql="SELECT count(*) AS n FROM paymentmethod")
    token = service.post_analytics_queries_submit(name, shop.account_id, asked).query_token
    assert service.post_analytics_queries_submit(name, shop.account_id, asked).query_token == token
    status = service.get_analytics_queries_query_external_id_query_external_id(name, shop.account_id)
    for _ in range(5):
        if status.status != "PROCESSING":
            break
        status = service.get_analytics_queries_query_token_query_token(token, shop.account_id)
    assert (status.status, status.portal_query_token) == ("SUCCESS", token)
    url = service.get_analytics_queries_query_token_query_token_result(token, shop.account_id)
    with urllib.request.urlopen(url) as answer:
        assert answer.read().startswith(b"n\r\n")
    with pytest.raises(UnprocessableEntityException):
        service.delete_analytics_queries_query_token_query_token(token, shop.account_id)
    assert service.get_analytics_queries(0, 10, shop.account_id).total_count >= 1


def test_a_debt_that_is_collected(shop: Shop) -> None:
    configured = DebtCollectorConfigurationCreate(collector=1560000000001, name="test", skip_review_enabled=True)
    shop.use(DebtCollectorConfigurationsService).post_debt_collection_configurations(shop.space_id, configured)
    cases = shop.use(DebtCollectionCasesService)
    line = LineItemCreate(name="Shirt", unique_id="shirt", quantity=1, amount_including_tax=12.5, type="PRODUCT")
    case = cases.post_debt_collection_cases(
        shop.space_id,
        DebtCollectionCaseCreate(external_id=str(uuid.uuid4()), reference="r", currency="EUR", line_items=[line]),
    )
    document = base64.b64encode(b"%PDF-1.4").decode()
    attached = cases.post_debt_collection_cases_id_documents(case.id, "a.pdf", document, shop.space_id)
    assert attached.mime_type == "application/pdf"
    assert len(cases.get_debt_collection_cases_id_documents(case.id, shop.space_id).data) == 1
    assert cases.post_debt_collection_cases_id_mark_prepared(case.id, shop.space_id).amount == 12.5
    receipt = cases.post_debt_collection_cases_id_payment_receipts(case.id, 12.5, "r-1", shop.space_id)
    assert receipt.amount == 12.5
    assert cases.get_debt_collection_cases_id(case.id, shop.space_id).state == "CLOSED"


def test_what_is_only_read(shop: Shop) -> None:
    assert len(shop.use(DocumentTemplatesService).get_document_templates(shop.space_id).data) == 4
    assert shop.use(WebAppsService).get_web_apps_installed(shop.space_id) is False
    assert shop.use(DunningCasesService).get_payment_dunning_cases(shop.space_id).data == []
    assert shop.use(BankAccountsService).get_payment_bank_accounts(shop.space_id).data == []
    assert shop.use(ManualTasksService).get_manual_tasks_search(shop.space_id, query="state:OPEN").offset == 0
