"""The published Python client of the vendor, unmodified: only its host and its credentials are ours."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from wallee import (
    AccountCreate,
    AccountsService,
    AccountUpdate,
    ApplicationUserCreate,
    ApplicationUsersRolesService,
    ApplicationUsersService,
    ApplicationUserUpdate,
    AuthenticatedCardDataCreate,
    AuthenticatedCardRequest,
    CardAuthenticationResponse,
    CardAuthenticationVersion,
    CardholderAuthenticationCreate,
    ChargeAttemptsService,
    CompletionLineItemCreate,
    CustomerActive,
    CustomerCreate,
    CustomersService,
    DeliveryIndicationsService,
    HumanUserCreate,
    HumanUsersService,
    HumanUserUpdate,
    LineItemCreate,
    LineItemReductionCreate,
    LineItemType,
    PaymentConnectorConfigurationsService,
    PermissionsService,
    RefundCreate,
    RefundsService,
    RefundType,
    RoleCreate,
    RolesService,
    RoleUpdate,
    SingleSignOnUserCreate,
    SingleSignOnUsersService,
    SpaceCreate,
    SpacesService,
    SpaceUpdate,
    TaxCreate,
    TokenizationMode,
    TokensService,
    TokenVersionsService,
    TransactionCommentCreate,
    TransactionCommentsService,
    TransactionCompletionBehavior,
    TransactionCompletionDetails,
    TransactionCreate,
    TransactionInvoicesService,
    TransactionPending,
    TransactionsService,
)
from wallee.configuration import Configuration
from wallee.exceptions import (
    BadRequestException,
    ConflictException,
    ForbiddenException,
    NotFoundException,
    UnauthorizedException,
    UnprocessableEntityException,
)

from tests.e2e.stack import Stack


class Shop:
    """One tenant's demo user and the client's services for it."""

    def __init__(self, stack: Stack, name: str, *, base: str = "/api/v2.0") -> None:
        self.stack = stack
        payments = stack.credentials(name)["payments"]
        self.account_id: int = payments["account_id"]
        self.space_id: int = payments["space_id"]
        self.user_id: int = payments["application_user_id"]
        self.key: str = payments["authentication_key"]
        self._base = base

    def configuration(self, user_id: int | str | None = None, key: str | None = None) -> Configuration:
        host = self.stack.base_url + self._base
        return Configuration(host=host, user_id=user_id or self.user_id, authentication_key=key or self.key)

    def use(self, service: Callable[[Configuration], Any], user_id: int | str | None = None, key: str = "") -> Any:
        return service(self.configuration(user_id, key or None))


@pytest.fixture
def shop(stack: Stack) -> Shop:
    return Shop(stack, "demo")


def test_reading_listing_and_searching(shop: Shop) -> None:
    """Parameters of every kind in the signed target: lists, repeated names, spaces, quotes, colons, non-ASCII."""
    spaces = shop.use(SpacesService)
    assert spaces.get_spaces_id(shop.space_id).name == "demo"
    assert spaces.get_spaces_id(shop.space_id, expand={"account"}).account.name == "demo"
    assert shop.space_id in [each.id for each in spaces.get_spaces(limit=100, order="DESC").data]
    for query in (
        f"id:{shop.space_id}",
        "name:demo AND state:ACTIVE",
        f"name:'demo' (id:{shop.space_id} OR id:1)",
        'name:~"de" -name:"Zürich & Söhne + 1/2 ~ *"',
        f"createdOn:>'2024-01-01T00:00:00' account:{shop.account_id}",
    ):
        found = spaces.get_spaces_search(query=query, order="name:ASC id:DESC", limit=10, offset=0, expand=["account"])
        assert shop.space_id in [each.id for each in found.data], query
    assert spaces.get_spaces_search(query="", order="").limit == 10


def test_the_user_id_may_be_a_text_and_the_base_path_the_short_one(shop: Shop) -> None:
    assert shop.use(SpacesService, str(shop.user_id)).get_spaces().data
    found = shop.use(PermissionsService).get_permissions_search(query="parent:1000", order="id:DESC")
    assert [each.leaf for each in found.data] == [True] * 5


def test_who_does_not_hold_the_key_is_refused(shop: Shop) -> None:
    for user_id, key in ((shop.user_id, "A" * 43 + "="), (17, shop.key), (Shop(shop.stack, "other").user_id, shop.key)):
        with pytest.raises(UnauthorizedException) as refused:
            shop.use(SpacesService, user_id, key).get_spaces()
        assert refused.value.data.code == "unauthorized"


def test_another_tenants_objects_are_not_there(shop: Shop) -> None:
    other = Shop(shop.stack, "other")
    with pytest.raises(NotFoundException):
        shop.use(SpacesService).get_spaces_id(other.space_id)
    with pytest.raises(NotFoundException):
        shop.use(ApplicationUsersService).get_application_users_id(other.user_id)
    with pytest.raises(ForbiddenException) as refused:
        shop.use(CustomersService).get_customers(other.space_id)
    assert refused.value.data.code == "space_not_permitted"


def test_accounts_and_spaces(shop: Shop) -> None:
    accounts, spaces = shop.use(AccountsService), shop.use(SpacesService)
    branch = accounts.post_accounts(AccountCreate(name="branch", scope=1), expand={"parentAccount"})
    assert branch.parent_account.name == "demo"
    renamed = accounts.patch_accounts_id(branch.id, AccountUpdate(version=branch.version, name="branch office"))
    assert (renamed.name, renamed.version) == ("branch office", branch.version + 1)
    made = spaces.post_spaces(SpaceCreate(name="branch shop", account=branch.id, primary_currency="CHF"))
    changed = spaces.patch_spaces_id(made.id, SpaceUpdate(version=made.version, time_zone="Europe/Zurich"))
    assert (changed.time_zone, changed.primary_currency) == ("Europe/Zurich", "CHF")
    with pytest.raises(ConflictException) as stale:
        spaces.patch_spaces_id(made.id, SpaceUpdate(version=made.version, name="too late"))
    assert stale.value.data.code == "version_conflict"
    with pytest.raises(UnprocessableEntityException) as full:
        accounts.delete_accounts_id(branch.id)
    assert full.value.data.code == "account_not_empty"
    accounts.post_accounts_id_deactivate(branch.id)
    assert spaces.get_spaces_id(made.id).active is False
    accounts.post_accounts_id_activate(branch.id)
    spaces.delete_spaces_id(made.id)
    accounts.delete_accounts_id(branch.id)
    assert accounts.get_accounts_id(branch.id).state.value == "DELETED"


def test_an_application_user_its_keys_and_its_roles(shop: Shop) -> None:
    users, roles = shop.use(ApplicationUsersService), shop.use(RolesService)
    assignments = shop.use(ApplicationUsersRolesService)
    user = users.post_application_users(ApplicationUserCreate(primary_account=shop.account_id, name="robot"))
    with pytest.raises(ForbiddenException):
        shop.use(SpacesService, user.id, user.mac_key).get_spaces()

    administrator, viewer = roles.get_roles(limit=2).data
    assert (administrator.name, viewer.name) == ({"en-US": "Administrator"}, {"en-US": "Viewer"})
    assert len(roles.get_roles_id(viewer.id, expand={"permissions"}).permissions) > 40
    given = assignments.post_application_users_user_id_account_roles(
        user.id, viewer.id, shop.account_id, applies_on_sub_account=True
    )
    assert (given.user, given.role, given.applies_on_sub_account) == (user.id, viewer.id, True)
    assert shop.use(SpacesService, user.id, user.mac_key).get_spaces_id(shop.space_id).id == shop.space_id
    with pytest.raises(ForbiddenException):
        shop.use(SpacesService, user.id, user.mac_key).delete_spaces_id(shop.space_id)

    second = users.post_application_users_user_id_keys(user.id)
    first = next(each for each in users.get_application_users_user_id_keys(user.id) if each.id != second.id)
    users.delete_application_users_user_id_keys_id(user.id, first.id)
    with pytest.raises(UnauthorizedException):
        shop.use(SpacesService, user.id, user.mac_key).get_spaces()
    assert shop.use(SpacesService, user.id, second.key).get_spaces().data

    assignments.delete_application_users_user_id_account_roles(user.id, viewer.id, shop.account_id)
    listed = assignments.get_application_users_user_id_account_roles(user.id, shop.account_id)
    assert listed.data == []
    # The client leaves the ids out of the permissions that it sends (they are read-only in its models), so that a role
    # made with it holds none; docs/decisions/0032-payments-access.md.
    role = roles.post_roles(RoleCreate(account=shop.account_id, name={"en-US": "Nothing yet"}))
    changed = roles.patch_roles_id(role.id, RoleUpdate(version=role.version, name={"en-US": "Reads"}))
    assert changed.name == {"en-US": "Reads"}
    roles.delete_roles_id(role.id)
    users.patch_application_users_id(user.id, ApplicationUserUpdate(version=user.version, name="robot 2"))
    users.delete_application_users_id(user.id)
    assert users.get_application_users_id(user.id).state.value == "DELETED"


def test_people(shop: Shop) -> None:
    people = shop.use(HumanUsersService)
    address = f"{uuid.uuid4()}@example.com"
    people.post_human_users(HumanUserCreate(firstname="Jürgen", lastname="Müller, Dr.", email_address=address))
    (line,) = list(csv.reader(io.StringIO(people.get_human_users_export(
        fields=["id", "version", "lastname"], query=f'emailAddress:"{address}"'
    ).decode())))[1:]  # fmt: skip
    assert line[2] == "Müller, Dr."
    changed = people.patch_human_users_id(int(line[0]), HumanUserUpdate(version=int(line[1]), lastname="Müller"))
    assert changed.lastname == "Müller"
    people.delete_human_users_id(int(line[0]))
    single = shop.use(SingleSignOnUsersService)
    made = single.post_single_sign_on_users(SingleSignOnUserCreate(provider=7, firstname="Ada"))
    assert made.provider == 7


def test_customers(shop: Shop) -> None:
    customers = shop.use(CustomersService)
    reference = uuid.uuid4().hex
    made = customers.post_customers(shop.space_id, CustomerCreate(customer_id=reference, given_name="Jane"))
    found = customers.get_customers_search(shop.space_id, query=f"customerId:{reference}")
    assert [each.id for each in found.data] == [made.id]
    changed = customers.patch_customers_id(
        made.id, shop.space_id, CustomerActive(version=made.version, family_name="Doe", meta_data={"size": "L"}),
        expand={"metaData"},
    )  # fmt: skip
    assert (changed.family_name, changed.given_name, changed.meta_data) == ("Doe", "Jane", {"size": "L"})
    with pytest.raises(BadRequestException) as refused:
        customers.get_customers_search(shop.space_id, query="surname:Doe")
    assert list(refused.value.data.errors) == ["query"]
    customers.delete_customers_id(made.id, shop.space_id)
    with pytest.raises(NotFoundException):
        customers.get_customers_id(made.id, shop.space_id)


def cart() -> list[LineItemCreate]:
    """Shirts and their shipping, 100.00 in all."""
    return [
        LineItemCreate(
            unique_id="shirt", name="Shirt", type=LineItemType.PRODUCT, quantity=2, amount_including_tax=80.10,
            taxes=[TaxCreate(rate=8.1, title="VAT")],
        ),
        LineItemCreate(
            unique_id="shipping", name="Shipping", type=LineItemType.SHIPPING, quantity=1, amount_including_tax=19.90
        ),
    ]  # fmt: skip


def card(**members: Any) -> AuthenticatedCardRequest:
    data = {"primary_account_number": "4111 1111 1111 1111", "expiry_date": "2040-12", **members}
    return AuthenticatedCardRequest(card_data=AuthenticatedCardDataCreate(**data))


def test_a_transaction_from_its_cart_to_its_refund(shop: Shop) -> None:
    transactions, space = shop.use(TransactionsService), shop.space_id
    deferred = TransactionCompletionBehavior.COMPLETE_DEFERRED
    made = transactions.post_payment_transactions(
        space, TransactionCreate(currency="EUR", line_items=cart(), completion_behavior=deferred), expand={"group"}
    )
    assert (made.state, made.version, made.authorization_amount, made.group.state) == ("PENDING", 2, 100, "PENDING")
    changed = transactions.patch_payment_transactions_id(
        made.id, space, TransactionPending(version=made.version, merchant_reference="order-17")
    )
    confirmed = transactions.post_payment_transactions_id_confirm(
        made.id, space, TransactionPending(version=changed.version)
    )
    assert (confirmed.state, confirmed.merchant_reference) == ("CONFIRMED", "order-17")
    with pytest.raises(UnprocessableEntityException) as late:
        transactions.patch_payment_transactions_id(made.id, space, TransactionPending(version=confirmed.version))
    assert late.value.data.code == "state_invalid"
    methods = transactions.get_payment_transactions_id_payment_method_configurations(made.id, "payment_page", space)
    authentication = CardholderAuthenticationCreate(
        authentication_response=CardAuthenticationResponse.FULLY_AUTHENTICATED, version=CardAuthenticationVersion.V2,
        electronic_commerce_indicator="05", authentication_value="AJkBBkhgQQAAAE4gSEJydQAAAAA=",
    )  # fmt: skip
    request = card(cardholder_authentication=authentication)
    request.payment_method_configuration = methods.data[0].id
    paid = transactions.post_payment_transactions_id_process_card_details(made.id, space, request)
    assert (paid.state, paid.completed_amount) == ("AUTHORIZED", 0)
    (attempt,) = shop.use(ChargeAttemptsService).get_payment_charge_attempts_search(
        space, query=f"linkedTransaction:{made.id}", expand={"charge.transaction", "labels"}
    ).data  # fmt: skip
    assert (attempt.charge.transaction.id, attempt.labels[0].content_as_string) == (made.id, "411111******1111")

    part = TransactionCompletionDetails(
        external_id=f"{made.id}", line_items=[CompletionLineItemCreate(unique_id="shirt", quantity=1, amount=40.05)]
    )
    first = transactions.post_payment_transactions_id_complete_partially_online(made.id, space, part)
    assert (first.state, first.amount, first.last_completion) == ("SUCCESSFUL", 40.05, False)
    rest = transactions.post_payment_transactions_id_complete_online(made.id, space)
    assert (rest.amount, rest.last_completion) == (59.95, True)
    done = transactions.get_payment_transactions_id(made.id, space, expand={"paymentConnectorConfiguration.connector"})
    assert (done.state, done.completed_amount) == ("FULFILL", 100)
    (delivery,) = shop.use(DeliveryIndicationsService).get_payment_delivery_indications_search(
        space, query=f"linkedTransaction:{made.id}"
    ).data  # fmt: skip
    assert delivery.state == "SUITABLE"
    invoices = shop.use(TransactionInvoicesService).get_payment_transactions_invoices_search(
        space, query=f"linkedTransaction:{made.id}", order="id:ASC"
    )
    assert [(each.state, each.amount) for each in invoices.data] == [("PAID", 40.05), ("PAID", 59.95)]

    refunds = shop.use(RefundsService)
    by_line = RefundCreate(
        external_id=uuid.uuid4().hex, transaction=made.id, type=RefundType.MERCHANT_INITIATED_ONLINE,
        reductions=[
            LineItemReductionCreate(line_item_unique_id="shirt", quantity_reduction=1, unit_price_reduction=0)
        ],
    )  # fmt: skip
    refund = refunds.post_payment_refunds(space, by_line, expand={"transaction"})
    assert (refund.state, refund.amount, refund.transaction.refunded_amount) == ("SUCCESSFUL", 40.05, 40.05)
    assert refunds.post_payment_refunds(space, by_line).id == refund.id
    with pytest.raises(UnprocessableEntityException) as too_much:
        refunds.post_payment_refunds(
            space,
            RefundCreate(external_id="x", transaction=made.id, type=RefundType.MERCHANT_INITIATED_ONLINE, amount=60),
        )
    assert list(too_much.value.data.errors) == ["amount"]


def test_tokens_voids_and_what_is_delegated(shop: Shop) -> None:
    transactions, space = shop.use(TransactionsService), shop.space_id
    mode = TokenizationMode.FORCE_CREATION_WITH_ONE_CLICK_PAYMENT
    first = transactions.post_payment_transactions(
        space, TransactionCreate(currency="CHF", line_items=cart(), customer_id="jane", tokenization_mode=mode)
    )
    paid = transactions.post_payment_transactions_id_process_card_details(first.id, space, card())
    assert paid.state == "FULFILL"
    version = shop.use(TokensService).get_payment_tokens_id_active_version(paid.token.id, space)
    assert (version.name, version.state) == ("VISA 1111", "ACTIVE")
    found = shop.use(TokenVersionsService).get_payment_token_versions_search(space, query=f"token:{paid.token.id}")
    assert [each.id for each in found.data] == [version.id]

    deferred = TransactionCompletionBehavior.COMPLETE_DEFERRED
    again = TransactionCreate(
        currency="CHF", line_items=cart(), customer_id="jane", token=paid.token.id, completion_behavior=deferred
    )
    second = transactions.post_payment_transactions(space, again)
    charge = transactions.post_payment_transactions_id_process_with_token(second.id, space, expand={"transaction"})
    assert (charge.state, charge.transaction.state) == ("SUCCESSFUL", "AUTHORIZED")
    assert transactions.post_payment_transactions_id_void_online(second.id, space).state == "SUCCESSFUL"
    assert transactions.get_payment_transactions_id_check_token_creation_possible(second.id, space) is True

    third = transactions.post_payment_transactions(space, again)
    credentials = transactions.get_payment_transactions_id_credentials(third.id, space)
    assert credentials.startswith(f"{space}-{third.id}-")
    seen = transactions.get_payment_transactions_by_credentials_credentials(credentials, space)
    assert seen.id == third.id
    clicks = transactions.get_payment_transactions_by_credentials_credentials_one_click_tokens(credentials, space)
    assert [each.id for each in clicks.data] == [version.id]
    shop.use(TransactionCommentsService).post_payment_transactions_transaction_id_comments(
        third.id, space, TransactionCommentCreate(transaction=third.id, content="Called")
    )
    table = transactions.get_payment_transactions_export(
        space, fields=["id", "state"], query=f"id:{first.id} OR id:{second.id}", order="id:ASC"
    )
    assert table.decode().split() == ["id,state", f"{first.id},FULFILL", f"{second.id},VOIDED"]
    configurations = shop.use(PaymentConnectorConfigurationsService).get_payment_connector_configurations(space)
    assert [each.state for each in configurations.data] == ["ACTIVE", "ACTIVE"]


def test_the_clients_clock_is_the_walls(own_stack: Stack) -> None:
    """Moving the sandbox's clock locks nobody out, since clients follow no sandbox."""
    own_stack.send("POST", "/sandbox/clock", json_body={"advance_seconds": 86_400})
    assert Shop(own_stack, "demo").use(SpacesService).get_spaces().data
