"""The Stripe API as a source: customers and their payment methods listed, cards received through a forwarded request.

The API never tells a card number. What it does is send one, inside a request that we write, to an endpoint that it has
on its list (Vault and Forward): ours, which seals the card and answers the sealed form, which Stripe hands back to us.
So a number passes no further party, and nothing has to be stored between the two halves. The request names its import
in a header that only we can make (`vault.imports.service.forwarding`).

Every call goes through the egress guard under a total deadline; the SDK neither retries nor follows anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import stripe

from tollgate.egress import Egress, EgressFailure, TargetRefused
from vault import stripe_http
from vault.imports.clients.sources import Listed
from vault.imports.errors import RowProblem, SourceBusy, SourceRefused
from vault.imports.models import Entry

if TYPE_CHECKING:
    from stripe.params import CustomerListParams, PaymentMethodListParams
    from stripe.params.forwarding import RequestCreateParamsRequestHeader

_PAGE: Final = 100
_CALL_SECONDS: Final = 20
_REPLACED: Final = ["card_number", "card_expiry", "cardholder_name"]
_TEMPLATE: Final = {"account_number": "", "expiry_month": "", "expiry_year": "", "cardholder_name": ""}
_REFUSED: Final = "Stripe refused the API key or its permissions"
_UNREACHABLE: Final = "The address of the Stripe API may not be called"

Capability = Callable[[str], str]
"""Makes the header value that lets one card, by its id, come in."""
Opener = Callable[[str, str], Mapping[str, Any]]
"""Opens what the receiving endpoint sealed for the card with this id."""


class StripeApi:
    """The payment methods of all customers that one API key sees."""

    rows_per_chunk = 100
    fetches_at_once = 8
    is_proven_at_its_end = False

    def __init__(
        self, api_key: str, *, api_base: str, receiver_url: str, egress: Egress, capability: Capability, opener: Opener
    ) -> None:
        self._client = stripe_http.client(api_key, api_base, stripe_http.GuardedHttp(egress, lambda: _CALL_SECONDS))
        self._receiver_url = receiver_url
        self._capability = capability
        self._opener = opener

    def listing(self, after: str | None) -> Iterator[Listed]:
        """One customer at a time; the position is the customer and how many rows came until there."""
        customer, _, count = (after or "").partition("/")
        rows = int(count or 0)
        while True:
            try:
                page = self._ask(self._customers, customer)
            except RowProblem:
                raise SourceRefused("Stripe refused to list the customers") from None
            for each in page.data:
                methods = self._methods(each.id)
                entries = tuple(Entry(rows + n, method.id, method.type) for n, method in enumerate(methods, 1))
                rows, customer = rows + len(entries), each.id
                yield Listed(entries, f"{customer}/{rows}")
            if not page.has_more:
                return

    def fetch(self, entry: Entry) -> Mapping[str, Any]:
        """Have Stripe send the card to our receiving endpoint, and open what that answered."""
        key = str(entry.business_key)
        body = json.dumps({**_TEMPLATE, "business_key": key})
        headers: list[RequestCreateParamsRequestHeader] = [
            {"name": "x-hellgate-import", "value": self._capability(key)},
            {"name": "content-type", "value": "application/json"},
        ]
        made = self._ask(
            lambda: self._client.v1.forwarding.requests.create(
                {
                    "payment_method": key, "url": self._receiver_url, "replacements": list(_REPLACED),
                    "request": {"body": body, "headers": headers},
                }
            )
        )  # fmt: skip
        return self._opener(key, _sealed_in(made.response_details, key))

    def _customers(self, after: str) -> Any:
        asked: CustomerListParams = {"limit": _PAGE}
        if after:
            asked["starting_after"] = after
        return self._client.v1.customers.list(asked)

    def _methods(self, customer: str) -> list[Any]:
        found: list[Any] = []
        while True:
            try:
                page = self._ask(self._methods_page, customer, found[-1].id if found else "")
            except RowProblem:
                return found  # the customer was deleted meanwhile, and the cards went too
            found += page.data
            if not page.has_more:
                return found

    def _methods_page(self, customer: str, after: str) -> Any:
        asked: PaymentMethodListParams = {"customer": customer, "type": "card", "limit": _PAGE}
        if after:
            asked["starting_after"] = after
        return self._client.v1.payment_methods.list(asked)

    @staticmethod
    def _ask(call: Callable[..., Any], *arguments: Any) -> Any:
        """One call, its failure told apart by what can be done about it."""
        try:
            return call(*arguments)
        except (stripe.AuthenticationError, stripe.PermissionError):
            raise SourceRefused(_REFUSED) from None
        except stripe.RateLimitError as error:
            raise SourceBusy(_retry_after(error.headers)) from None
        except stripe.InvalidRequestError:
            raise RowProblem("source_error", "Stripe refused to hand over the card") from None
        except TargetRefused:
            raise SourceRefused(_UNREACHABLE) from None
        except EgressFailure:
            raise SourceBusy from None
        except stripe.StripeError as error:
            if error.http_status is not None and error.http_status < 500 and error.http_status != 409:
                raise RowProblem("source_error", "Stripe refused to hand over the card") from None
            raise SourceBusy from None


def _retry_after(headers: Mapping[str, str] | None) -> int:
    text = next((value for name, value in (headers or {}).items() if name.lower() == "retry-after"), "")
    return min(int(text), 60) if text.isascii() and text.isdigit() else 1


def _sealed_in(details: Any, key: str) -> str:
    """The sealed card in what our endpoint answered to Stripe."""
    status = getattr(details, "status", None)
    if status in (429, 502, 503, 504):
        raise SourceBusy
    try:
        answer = json.loads(details.body) if status == 200 else {}
        if answer["business_key"] == key:
            return str(answer["sealed_card"])
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise RowProblem("destination_error", "The card could not be handed over")
