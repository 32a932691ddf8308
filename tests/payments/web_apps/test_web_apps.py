"""Web apps: installed by a code, bringing processors in, telling what became of payments that are theirs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest

from payments.access.handler import handler as access
from payments.engine.repository import Objects
from payments.resources.transactions import TRANSACTION
from payments.units import UnitOfWork
from tests.payments.shops import PENDING, Shop, new_shop, table
from tests.support.http import Response
from tests.support.payments import Merchant
from tests.support.session import HeldClock
from tollgate.errors import UpstreamTimeout

PROCESSORS = "/payment/web-apps/processors"
FAILURE = 1460954915001


@dataclass(frozen=True)
class App:
    """A shop and a web app in it, which is another user of the same tenant."""

    shop: Shop
    user: Merchant

    def access(self, method: str, path: str, body: Any = None, **further: Any) -> Response:
        return self.user.call(access, method, path, body, **further)

    def call(self, method: str, path: str, body: Any = None) -> Response:
        return Shop(self.user).call(method, path, body)

    def code(self) -> str:
        made = self.shop.merchant.call(access, "POST", "/web-apps/activation-codes")
        assert made.status == 201, made.body
        return str(made.json["code"])

    def install(self) -> dict[str, Any]:
        answer = self.access("POST", f"/web-apps/confirm/{self.code()}?expand=account")
        assert answer.status == 200, answer.body
        return dict(answer.json)

    def processor(self, name: str = "p") -> dict[str, Any]:
        made = self.call("POST", PROCESSORS, {"externalId": name, "name": "Mine", "svgIcon": "<svg/>"})
        assert made.status == 201, made.body
        return dict(made.json)

    def connector(self, name: str = "c", processor: str = "p") -> dict[str, Any]:
        body = {
            "externalId": name, "authorizationTimeout": "PT30M", "paymentPageEndpoint": "https://app.example/pay",
            "completionConfiguration": {"completionEndpoint": "https://app.example/c", "completionTimeoutInMinutes": 5},
            "refundConfiguration": {"multipleRefundsSupported": True},
        }  # fmt: skip
        made = self.call("POST", f"{PROCESSORS}/{processor}/connectors", body)
        assert made.status == 201, made.body
        return dict(made.json)

    def owns(self, number: int, connector: dict[str, Any]) -> None:
        """Make a transaction one of the app's connector's."""
        objects = Objects(table())
        unit = UnitOfWork(objects, self.user.tenant, self.shop.scope)
        before = objects.read(TRANSACTION, self.shop.scope, number)
        unit.replace(before, {"paymentConnectorConfiguration": connector["connectorConfiguration"]})
        unit.commit()


def new_user(shop: Shop) -> Merchant:
    made = shop.merchant.call(access, "POST", "/application-users", {"primaryAccount": shop.merchant.account_id}).json
    administrator = shop.merchant.call(access, "GET", "/roles").json["data"][0]["id"]
    path = f"/application-users/{made['id']}/account-roles?roleId={administrator}&appliesOnSubAccount=true"
    given = shop.merchant.call(access, "POST", path, account=shop.merchant.account_id)
    assert given.status == 200, given.body
    return replace(shop.merchant, user_id=made["id"], key=made["macKey"])


@pytest.fixture
def app() -> App:
    shop = new_shop()
    return App(shop, new_user(shop))


def code_of(answer: Response) -> tuple[int, str]:
    return answer.status, answer.json["code"]


class TestInstalling:
    def test_a_code_installs_once(self, app: App) -> None:
        assert app.access("GET", "/web-apps/installed").json is False
        code = app.code()
        confirmed = app.access("POST", f"/web-apps/confirm/{code}", space=None)
        assert confirmed.json.items() >= {
            "scope": f"space:{app.user.space_id}", "state": "INSTALLED", "token_type": "HS256",
        }.items()  # fmt: skip
        assert confirmed.json["space"]["id"] == app.user.space_id
        assert code_of(app.access("POST", f"/web-apps/confirm/{code}")) == (404, "not_found")
        assert app.access("GET", "/web-apps/installed").json is True
        assert app.shop.merchant.call(access, "GET", "/web-apps/installed").json is False

    def test_the_key_is_one_of_the_app_until_it_is_uninstalled(self, app: App) -> None:
        given = replace(app.user, key=app.install()["access_token"])
        assert given.call(access, "GET", "/web-apps/installed").json is True
        assert given.call(access, "POST", "/web-apps/uninstall").status == 204
        assert given.call(access, "GET", "/web-apps/installed").status == 401
        assert app.access("GET", "/web-apps/installed").json is False
        assert code_of(app.access("POST", "/web-apps/uninstall")) == (422, "web_app_not_installed")

    def test_a_second_installation_ends_the_first_key(self, app: App) -> None:
        first, second = app.install(), app.install()
        keys = [replace(app.user, key=each["access_token"]) for each in (first, second)]
        assert [each.call(access, "GET", "/web-apps/installed").status for each in keys] == [401, 200]

    def test_of_two_confirmations_one_succeeds(self, app: App) -> None:
        path = f"/web-apps/confirm/{app.code()}"
        with ThreadPoolExecutor(2) as executor:
            answers = list(executor.map(lambda _: app.access("POST", path).status, range(2)))
        assert sorted(answers) == [200, 404]

    def test_codes_end_and_are_for_one_tenant(self, app: App, held_clock: HeldClock) -> None:
        code, stranger = app.code(), new_shop()
        assert stranger.merchant.call(access, "POST", f"/web-apps/confirm/{code}").status == 404
        held_clock.advance(hours=1, seconds=1)
        assert app.access("POST", f"/web-apps/confirm/{code}").status == 404


class TestProcessors:
    def test_brought_in_changed_and_deleted(self, app: App) -> None:
        app.install()
        made = app.processor()
        assert made.items() >= {"state": "ACTIVE", "usableInProduction": False, "configuredEnvironment": "TEST"}.items()
        configuration = app.shop.get(f"/payment/processor-configurations/{made['processorConfiguration']['id']}")
        assert (configuration["applicationManaged"], configuration["name"]) == (True, "Mine")
        changed = app.call("PATCH", f"{PROCESSORS}/p?expand=processorConfiguration", {"name": "Yours"}).json
        assert (changed["name"], changed["svgIcon"], changed["version"]) == ("Yours", "<svg/>", 2)
        assert changed["processorConfiguration"]["applicationManaged"] is True
        active = [app.call("POST", f"{PROCESSORS}/p/activate-for-production").json for _ in range(2)]
        assert active[0] == active[1]
        assert active[0]["usableInProduction"] is True
        connector = app.connector()
        assert connector["processor"] == {"id": made["id"]}
        path = "/payment/web-apps/connectors/c"
        assert app.call("PATCH", path, {"authorizationTimeout": "PT1H"}).json["authorizationTimeout"] == "PT1H"
        assert [app.call("DELETE", path).status for _ in range(2)] == [204, 404]
        assert [app.call("DELETE", f"{PROCESSORS}/p").status for _ in range(2)] == [204, 404]
        number = made["processorConfiguration"]["id"]
        assert app.shop.get(f"/payment/processor-configurations/{number}")["state"] == "DELETED"

    def test_uninstalling_takes_all_with_it(self, app: App) -> None:
        app.install()
        app.processor()
        connector = app.connector()
        assert app.access("POST", "/web-apps/uninstall").status == 204
        number = connector["connectorConfiguration"]["id"]
        assert app.shop.get(f"/payment/connector-configurations/{number}")["state"] == "DELETED"
        app.install()
        assert app.call("PATCH", f"{PROCESSORS}/p", {"name": "x"}).status == 404

    def test_refused(self, app: App) -> None:
        assert code_of(app.call("POST", PROCESSORS, {"externalId": "p"})) == (422, "web_app_not_installed")
        app.install()
        app.processor()
        for body, status in (
            ({}, 400), ({"externalId": "p"}, 422), ({"externalId": "ä"}, 422), ({"externalId": "x" * 41}, 422),
            ({"externalId": "x", "svgIcon": "x" * 10_001}, 422), ({"externalId": "x", "documentationUrl": "no"}, 422),
        ):  # fmt: skip
            assert app.call("POST", PROCESSORS, body).status == status, body
        assert app.call("POST", f"{PROCESSORS}/none/connectors", {"externalId": "c"}).status == 404

    def test_nobody_else_s(self, app: App) -> None:
        app.install()
        app.processor()
        app.connector()
        other = App(app.shop, new_user(app.shop))
        other.install()
        for method, path in (
            ("PATCH", f"{PROCESSORS}/p"), ("DELETE", f"{PROCESSORS}/p"),
            ("POST", f"{PROCESSORS}/p/activate-for-production"), ("POST", f"{PROCESSORS}/p/connectors"),
            ("PATCH", "/payment/web-apps/connectors/c"), ("DELETE", "/payment/web-apps/connectors/c"),
        ):  # fmt: skip
            assert other.call(method, path, {} if method != "DELETE" else None).status == 404, path


class TestTelling:
    def attempt(self, app: App) -> tuple[int, str]:
        """A payment under way that is the app's, and where the app tells of it."""
        number = app.shop.paid(PENDING)["id"]
        (found,) = app.shop.get(f"/payment/charge-attempts/search?query=linkedTransaction:{number}")["data"]
        app.owns(number, app.connector(f"c{number}"))
        return number, f"/payment/web-apps/charge-attempts/{found['id']}"

    @pytest.fixture
    def app(self, app: App) -> App:
        app.install()
        app.processor()
        return app

    def test_an_attempt_that_succeeded(self, app: App) -> None:
        number, path = self.attempt(app)
        told = app.call("PATCH", f"{path}?expand=charge.transaction", {"targetState": "SUCCESSFUL", "reference": "r-1"})
        assert told.status == 200, told.body
        assert (told.json["state"], told.json["charge"]["transaction"]["state"]) == ("SUCCESSFUL", "FULFILL")
        again = app.call("PATCH", path, {"targetState": "FAILED", "failureReason": FAILURE})
        assert code_of(again) == (422, "state_invalid")
        assert app.shop.state(number) == "FULFILL"

    def test_an_attempt_that_failed(self, app: App) -> None:
        number, path = self.attempt(app)
        body = {"targetState": "FAILED", "failureReason": FAILURE, "endUserFailureMessage": "Sorry"}
        told = app.call("PATCH", path, body).json
        assert (told["state"], told["failureReason"]) == ("FAILED", {"id": FAILURE})
        assert told.get("userFailureMessage") == "Sorry"
        assert app.shop.state(number) in ("CONFIRMED", "PROCESSING", "FAILED")

    def test_told_at_once_one_counts(self, app: App) -> None:
        number, path = self.attempt(app)
        bodies = [{"targetState": "SUCCESSFUL", "reference": "r"}, {"targetState": "FAILED", "failureReason": FAILURE}]
        with ThreadPoolExecutor(2) as executor:
            answers = list(executor.map(lambda body: app.call("PATCH", path, body), bodies))
        states = {answer.json["state"] for answer in answers if answer.status == 200}
        assert len(states) == 1
        assert (app.shop.state(number) == "FULFILL") == (states == {"SUCCESSFUL"})

    @pytest.mark.parametrize(
        ("body", "status", "errors"),
        [
            ({}, 400, ["targetState"]),
            ({"targetState": "PROCESSING"}, 422, ["targetState"]),
            ({"targetState": "SUCCESSFUL"}, 422, ["reference"]),
            ({"targetState": "SUCCESSFUL", "reference": "ä"}, 422, ["reference"]),
            ({"targetState": "FAILED"}, 422, ["failureReason"]),
            ({"targetState": "FAILED", "failureReason": 17}, 422, ["failureReason"]),
        ],
    )
    def test_refused(self, app: App, body: dict[str, Any], status: int, errors: list[str]) -> None:
        _, path = self.attempt(app)
        answer = app.call("PATCH", path, body)
        assert (answer.status, list(answer.json["errors"])) == (status, errors)

    def test_not_of_payments_that_are_not_its_own(self, app: App) -> None:
        _, path = self.attempt(app)
        other = App(app.shop, new_user(app.shop))
        body = {"targetState": "SUCCESSFUL", "reference": "r"}
        assert code_of(other.call("PATCH", path, body)) == (422, "web_app_not_installed")
        other.install()
        assert other.call("PATCH", path, body).status == 404
        number = app.shop.paid(PENDING)["id"]
        (found,) = app.shop.get(f"/payment/charge-attempts/search?query=linkedTransaction:{number}")["data"]
        assert app.call("PATCH", f"/payment/web-apps/charge-attempts/{found['id']}", body).status == 404

    @pytest.mark.parametrize("target", ["SUCCESSFUL", "FAILED"])
    @pytest.mark.parametrize("kind", ["completions", "voids", "refunds"])
    def test_operations_under_way(self, app: App, kind: str, target: str) -> None:
        number, found = self._under_way(app, kind)
        app.owns(number, app.connector(f"c{number}"))
        body = {"targetState": target, "reference": "r-1", "failureReason": FAILURE}
        path = f"/payment/web-apps/{kind}/{found}"
        told = app.call("PATCH", path, body)
        assert told.status == 200, told.body
        assert told.json["state"] == target
        assert code_of(app.call("PATCH", path, body)) == (422, "state_invalid")

    def _under_way(self, app: App, kind: str) -> tuple[int, int]:
        """An operation that was written down and to which no answer came."""
        shop = app.shop
        number = shop.paid()["id"] if kind == "refunds" else shop.authorised()["id"]
        path, body = _BEGUN[kind]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("payments.acquiring.Acquiring._operate", _no_answer)
            made = shop.call("POST", path.format(number), {**body, "transaction": number} if body else None)
        assert made.status < 300, made.body
        assert made.json["state"] == "PENDING", made.json
        return number, made.json["id"]


def _no_answer(*_: object, **__: object) -> Any:
    raise UpstreamTimeout


_BEGUN: dict[str, tuple[str, dict[str, Any]]] = {
    "completions": ("/payment/transactions/{}/complete-online", {}),
    "voids": ("/payment/transactions/{}/void-online", {}),
    "refunds": ("/payment/refunds", {"externalId": "r", "type": "MERCHANT_INITIATED_ONLINE", "amount": 10}),
}
