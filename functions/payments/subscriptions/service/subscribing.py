"""Subscriptions before they run, and choosing: created, changed while pending, initialised; and versions to come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from payments.engine.declarations import Resource
from payments.engine.errors import StateInvalid, VersionConflict
from payments.engine.models import Context, Entity, Values
from payments.engine.repository import Objects
from payments.resources.access import SPACE
from payments.resources.subscription_products import PRODUCT, PRODUCT_VERSION
from payments.resources.subscriptions import (
    AFFILIATE,
    SUBSCRIBER,
    SUBSCRIBER_PRESENT,
    SUBSCRIPTION,
    SUBSCRIPTION_CREATE,
    SUBSCRIPTION_UPDATE,
    SUBSCRIPTION_VERSION,
)
from payments.resources.tokens import TOKEN
from payments.subscriptions.errors import NotOffered, NoTokenToCharge
from payments.subscriptions.models import ENDED, RUNNING, Actor, Chosen, Offer, epoch_of, moment
from payments.subscriptions.repository import SubscriptionRecords
from payments.subscriptions.rules import terms
from payments.subscriptions.rules.cycles import cycle_of
from payments.subscriptions.service import bodies
from payments.subscriptions.service.charging import Charging
from payments.subscriptions.service.periods import Periods, Running, move_row
from payments.units import UnitOfWork, new_entity, repeated, space_of
from tollgate import clock, ids
from tollgate.errors import Invalid

_WANTED = ("product", "currency", "componentConfigurations")


@dataclass(frozen=True, slots=True)
class Choice:
    """A product version, the currency and the components chosen of it."""

    product: Entity
    version: Entity
    currency: str
    chosen: list[Chosen]


class Subscribing:
    """Makes subscriptions and initialises them."""

    def __init__(self, objects: Objects, periods: Periods, charging: Charging) -> None:
        self._objects = objects
        self._records = SubscriptionRecords(objects)
        self._periods = periods
        self._charging = charging

    # ------------------------------------------------------------------ creating

    def create(self, actor: Actor, context: Context, body: Any) -> Entity:
        """A new subscription; answers its first version.

        Raises:
            Invalid: what was chosen is not offered, or somebody who takes part is not there.
        """
        given = bodies.read(SUBSCRIPTION_CREATE, body)
        wanted: Values = given.get("subscription") or {}
        if wanted.get("subscriber") is None:
            raise Invalid.at("subscription.subscriber", "must be given")
        bodies.require_future(wanted, "plannedTerminationDate", "subscription.")
        return repeated(lambda: self._create(actor, context, given, wanted))

    def _create(self, actor: Actor, context: Context, given: Values, wanted: Values) -> Entity:
        choice = self.choose(actor, given)
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        subscriber = self._who(unit, SUBSCRIBER, wanted, "subscriber")
        self._who(unit, AFFILIATE, wanted, "affiliate")
        self._who(unit, TOKEN, wanted, "token")
        language = (subscriber.values.get("language") if subscriber else None) or "en-US"
        number = ids.new_number(clock.now())
        version = self.new_version(actor, number, choice, language)
        self._objects.insert(unit.transaction, version)
        self._records.hold_offer(unit.transaction, choice.product, choice.version.id, "product")
        values = {name: each for name, each in wanted.items() if name != "version"}
        unit.insert(
            SUBSCRIPTION,
            {
                **values, "state": "PENDING", "language": language,
                "currentProductVersion": {"id": choice.version.id},
            },
            {
                "current": version.id, "zone": self._zone(context), "periods": 0, "created_by": context.user_id,
            },
            number=number,
        )  # fmt: skip
        unit.commit()
        return version

    def _who(self, unit: UnitOfWork, resource: Resource, wanted: Values, name: str) -> Entity | None:
        """Somebody or something that takes part, held as it was read.

        Raises:
            Invalid: it is not there, or not active.
        """
        link = wanted.get(name)
        if link is None:
            return None
        entity = self._objects.find(resource, unit.scope, link["id"])
        if entity is None or entity.state != "ACTIVE":
            raise Invalid.at(f"subscription.{name}", "must be the id of an object that is active")
        self._records.hold_version(unit.transaction, entity)
        return entity

    def _zone(self, context: Context) -> str:
        """The time zone of the space, in whose calendar periods are counted."""
        scope = f"A{context.place.root_id}"
        space = self._objects.find(SPACE, scope, context.place.space_id or 0)
        return str(space.values.get("timeZone") or "UTC") if space else "UTC"

    # ------------------------------------------------------------------ choosing

    def choose(
        self, actor: Actor, given: Mapping[str, Any], present: Running | None = None, *, newest: bool = False,
        retires: bool = False,
    ) -> Choice:  # fmt: skip
        """What a request chooses. What it does not say stays as it is `present`: the product version (unless the newest
        is asked for), the currency, the components as far as the product still has them. Products that are locked are
        not changed, unless one `retires`.

        Raises:
            Invalid: it is not offered so.
        """
        product, version = self._offered(actor, given, present, newest, retires)
        offer = Offer.of(version)
        currency = given.get("currency") or (present.version.values["billingCurrency"] if present else None)
        currency = currency or version.values["defaultCurrency"]
        if currency not in offer.currencies:
            raise NotOffered("currency", "must be one of the enabled currencies of the product version")
        wanted = given.get("componentConfigurations")
        keep = wanted is None and present is not None
        chosen = terms.choose(
            offer, self._present_wishes(present) if keep else wanted or (), "componentConfigurations", keep=keep
        )
        if not chosen:
            raise NotOffered("componentConfigurations", "must choose something")
        return Choice(product, version, currency, chosen)

    def _offered(
        self, actor: Actor, given: Mapping[str, Any], present: Running | None, newest: bool, retires: bool
    ) -> tuple[Entity, Entity]:
        link = given.get("product")
        if link is None and present is None:
            raise Invalid.at("product", "must be given")
        now = self._periods.product_version(present.version) if present else None
        number = link["id"] if link is not None else (now.link("product") if now else 0)
        product = self._objects.find(PRODUCT, actor.scope, number or 0)
        if now is not None and number == now.link("product") and not newest and product is not None:
            return product, now
        offered = self._records.offered(actor.scope, product.id) if product is not None else None
        if product is None or product.state != "ACTIVE" or offered is None:
            raise NotOffered("product", "must be a product that is active and has an active version")
        if now is not None and product.id != now.link("product") and not retires:
            former = self._objects.read(PRODUCT, actor.scope, now.link("product") or 0)
            if product.values.get("productLocked") or former.values.get("productLocked"):
                raise NotOffered("product", "must not be changed, as one of the products is locked")
        return product, self._objects.read(PRODUCT_VERSION, actor.scope, offered)

    def _present_wishes(self, present: Running | None) -> Sequence[Mapping[str, Any]]:
        """What a version has chosen, by references."""
        if present is None:
            return ()
        offer = Offer.of(self._periods.product_version(present.version))
        chosen = terms.chosen_of(offer, present.version.values.get("componentConfigurations") or ())
        return [
            {"productComponentReferenceId": each.component.reference, "quantity": each.quantity} for each in chosen
        ]  # fmt: skip

    def new_version(self, actor: Actor, subscription: int, choice: Choice, language: str) -> Entity:
        """A version of a subscription, pending and not yet written."""
        values = {**self.chosen(actor.scope, choice), "state": "PENDING", "language": language}
        return new_entity(SUBSCRIPTION_VERSION, actor.scope, {**values, "subscription": {"id": subscription}})

    def chosen(self, scope: str, choice: Choice) -> Values:
        """What a version says of what was chosen."""
        return {
            "billingCurrency": choice.currency,
            "billingCycleModel": cycle_of(choice.version).model,
            "productVersion": {"id": choice.version.id},
            "componentConfigurations": [
                {
                    "id": ids.new_number(clock.now()), "version": 1, "linkedSpaceId": space_of(scope),
                    "component": each.component.id, "quantity": each.quantity,
                }
                for each in choice.chosen
            ],
        }  # fmt: skip

    # ------------------------------------------------------------------ changing

    def update(self, actor: Actor, subscription_id: int, body: Any) -> Entity:
        """Change what a subscription says; while it is pending, also what it is of.

        Raises:
            StateInvalid: it has ended, or something is to be changed that an operation of its own changes.
        """
        given = bodies.read(SUBSCRIPTION_UPDATE, body, self._objects.read(SUBSCRIPTION, actor.scope, subscription_id))
        if given.get("version") is not None:
            return self._update(actor, subscription_id, given)
        return repeated(lambda: self._update(actor, subscription_id, given))

    def _update(self, actor: Actor, subscription_id: int, given: Values) -> Entity:
        running = self._periods.load(actor, subscription_id)
        before = running.subscription
        if given.get("version") not in (None, before.version):
            raise VersionConflict
        if before.state in (*ENDED, "TERMINATING"):
            raise StateInvalid
        bodies.require_future(given, "plannedTerminationDate")
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        values: Values = {
            name: given[name] for name in ("affiliate", "description", "plannedTerminationDate") if name in given
        }
        self._who(unit, AFFILIATE, values, "affiliate")
        attributes: dict[str, Any] = {}
        if any(given.get(name) is not None for name in _WANTED):
            if before.state != "PENDING":
                raise StateInvalid(message="What a subscription is of is changed by apply-changes once it has begun")
            choice = self.choose(actor, given, running)
            self._records.hold_offer(unit.transaction, choice.product, choice.version.id, "product")
            unit.replace(running.version, self.chosen(actor.scope, choice))
            values["currentProductVersion"] = {"id": choice.version.id}
        if "plannedTerminationDate" in values:
            self._plan_termination(unit, running, values, attributes)
        after = unit.replace(before, values, attributes)
        unit.commit()
        return after

    def _plan_termination(self, unit: UnitOfWork, running: Running, values: Values, attributes: dict[str, Any]) -> None:
        """Come back to a subscription that runs at its planned end, if that is before the end of the period."""
        if running.subscription.state == "TERMINATION_SCHEDULED":
            raise StateInvalid(message="The termination is scheduled already")
        planned, end = values["plannedTerminationDate"], running.planned_end
        if end is None:
            return
        due = epoch_of(min(moment(planned), end) if planned else end)
        attributes["due"] = due
        if running.subscription.state in RUNNING:
            move_row(unit, running.subscription, due)

    # ------------------------------------------------------------------ initialising

    def initialize(self, actor: Actor, subscription_id: int) -> Entity:
        """Begin, and charge the token; answers the charge as far as it went. Repeated, the same charge.

        Raises:
            NoTokenToCharge: there is no token.
            StateInvalid: it has begun already.
        """
        return self._initialize(actor, subscription_id, None)

    def initialize_present(self, actor: Actor, subscription_id: int, body: Any) -> Entity:
        """Begin, with a transaction that the subscriber pays on the payment page."""
        self._objects.read(SUBSCRIPTION, actor.scope, subscription_id)
        given = bodies.read(SUBSCRIBER_PRESENT, body)
        urls = {"successUrl": given.get("successUrl"), "failedUrl": given.get("failureUrl")}
        return self._initialize(actor, subscription_id, urls)

    def _initialize(self, actor: Actor, subscription_id: int, urls: Values | None) -> Entity:
        charge = repeated(lambda: self._begin(actor, subscription_id, urls))
        return self._charging.advance(actor, charge)

    def _begin(self, actor: Actor, subscription_id: int, urls: Values | None) -> int:
        running = self._periods.load(actor, subscription_id)
        subscription = running.subscription
        if subscription.attributes.get("initial") is not None and subscription.state == "INITIALIZING":
            return int(subscription.attributes["initial"])
        if subscription.state != "PENDING":
            raise StateInvalid
        if urls is None and subscription.link("token") is None:
            raise NoTokenToCharge
        if running.planned_termination is not None and running.planned_termination <= clock.now():
            raise StateInvalid(message="The planned end of the subscription has passed")
        unit = UnitOfWork(self._objects, actor.tenant, actor.scope)
        charge = self._periods.begin(unit, running, urls)
        self._periods.commit(unit)
        return charge.id
