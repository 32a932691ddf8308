"""The machine: starts every part in order, connects them, and stops them in the opposite order.

Nothing here is a part itself. The commands in `__main__.py` own the terminal and the signals.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from local.aws_client import AwsClient
from local.background import Background, together
from local.cloud import Cloud
from local.credentials import Credentials
from local.dynamodb import Dynoxide, deploy_tables
from local.front_door import LIMITS, FrontDoor, refusal
from local.functions import Functions
from local.http_client import HttpClient
from local.http_server import HttpServer, bind
from local.identity import IdentityProvider
from local.layout import Layout
from local.ports import Ports
from local.positions import Positions
from local.processes import Launcher, Register
from local.routes import RouteTable
from local.running import remove_note, take_lock, write_note
from local.sources import Sources
from local.state import State
from local.streams import delivered
from local.template import Deployment, load
from local.workers import Outcome

Say = Callable[[str], None]
UPKEEP_EVERY = 5.0


class MachineError(Exception):
    """The machine cannot start or go on; the message is for the user, in one line."""


@dataclass(frozen=True, slots=True)
class Options:
    """`port` 0 takes a free one. A machine that is not public has no front door, sources, issuer or credentials.

    One that keeps no data stops at once: nothing of it will be read again.
    """

    port: int = 8080
    is_public: bool = True
    keeps_data: bool = True


class Machine:
    """Everything that runs for one data folder."""

    deployment: Deployment
    functions: Functions

    def __init__(self, layout: Layout, options: Options, say: Say) -> None:
        self._layout = layout
        self._options = options
        self._say = say
        self._cleanup = contextlib.AsyncExitStack()
        self._ports = Ports(layout.ports)
        self._background = Background(layout.logs / "machine.log")
        self._engine = choose_engine(layout)
        self._database: AwsClient
        self.broken: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.base_url = "http://127.0.0.1:0"

    async def start(self) -> None:
        """Bring everything up; ready when this returns. Call `stop` however it ends.

        Raises:
            MachineError, and the errors of the parts: the message is for the user.
            AlreadyRunningError: another machine holds the data folder.
        """
        self._cleanup.callback(take_lock(self._layout).close)
        self._layout.logs.mkdir(parents=True, exist_ok=True)
        register = Register(self._layout.processes)
        if ended := register.end_leftovers():
            self._say(f"Ended {ended} processes that an earlier run left behind")
        self._launcher = Launcher(self._layout.logs, register)
        door = self._take_port() if self._options.is_public else None
        issuer_port = self._ports.choose("identity", self._options.port + 1) if door else 0
        self.deployment = self._load_template(issuer_port)
        provider = IdentityProvider(self._launcher, issuer_port)
        if door:  # it takes longest and needs nobody
            self._cleanup.push_async_callback(provider.stop)
            await provider.start()
        cloud = await self._start_cloud()
        self._background.run("upkeep", self._keep_up)
        self._cleanup.push_async_callback(self._background.stop)
        if door:
            await self._open(door, cloud, provider)

    async def stop(self) -> None:
        """Stop everything; data is on disk when this returns."""
        await self._cleanup.aclose()

    # ------------------------------------------------------------------ what the functions stand on

    def _take_port(self) -> socket.socket:
        try:
            door = bind(self._options.port)
        except (OSError, OverflowError):
            raise self._port_is_taken() from None
        self._cleanup.callback(door.close)
        self.base_url = f"http://127.0.0.1:{door.getsockname()[1]}"
        return door

    def _port_is_taken(self) -> MachineError:
        return MachineError(f"port {self._options.port} is taken; `PORT=<another> make run` moves it")

    def _load_template(self, issuer_port: int) -> Deployment:
        port = self.base_url.rpartition(":")[2]
        own = f"127.0.0.1:{port},localhost:{port},127.0.0.1:{issuer_port}"
        offered = {
            "Environment": "sandbox",
            "SandboxAllowTargets": os.environ.get("SANDBOX_ALLOW_TARGETS") or own,
            "BaseUrl": self.base_url,
            "StripeApiBase": os.environ.get("STRIPE_API_BASE", ""),
        }
        return load(self._layout.template, offered=offered)

    async def _start_cloud(self) -> Cloud:
        state = State(self._layout)
        self._is_new_data = state.is_new
        manifest = state.open(self._engine)
        self._positions = Positions(self._layout.positions)
        cloud = Cloud(self._layout, self._launcher, self._ports.choose("cloud"))
        self._cleanup.push_async_callback(cloud.stop if self._options.keeps_data else cloud.kill)
        has_dynoxide = self._engine == "dynoxide"
        self._say(_STARTING[self._engine])
        await together(cloud.start(), *([self._start_dynoxide()] if has_dynoxide else []))
        self._database = self._database if has_dynoxide else cloud.client
        self._say("Deploying the template's tables, queues, keys and buckets")
        await deploy_tables(self._database, self.deployment.tables)
        await cloud.deploy(self.deployment, manifest, state)
        state.save(manifest)
        self._background.run("ministack", lambda: self._watch("ministack", cloud.wait))
        overrides = cloud.overrides(self.deployment, manifest)
        self.functions = Functions(self._layout, self._launcher, self.deployment, cloud, overrides)
        await self.functions.start(self._database.port if has_dynoxide else None)
        self._cleanup.push_async_callback(self.functions.stop)
        return cloud

    async def _start_dynoxide(self) -> None:
        layout, port = self._layout, self._ports.choose("dynamodb")
        dynoxide = Dynoxide(layout.dynoxide, layout.database, self._launcher, port)
        self._database = dynoxide.client
        self._cleanup.push_async_callback(dynoxide.stop)
        await dynoxide.start(delivered(self._positions, self.deployment.streams))
        self._background.run("dynoxide", lambda: self._watch("dynoxide", dynoxide.wait))

    # ------------------------------------------------------------------ what reaches the functions

    async def _open(self, door: socket.socket, cloud: Cloud, provider: IdentityProvider) -> None:
        self._say("Starting the first functions")
        await together(provider.await_ready(), self._make_credentials(provider.issuer), self._warm_health())
        sources = Sources(self.deployment, self.functions, self._positions)
        file = self._layout.database if self._engine == "dynoxide" else None
        sources.start(self._background, cloud, self._database, file)
        self._cleanup.push_async_callback(sources.settle)
        front = FrontDoor(RouteTable(self.deployment.routes), self.functions.invoke, self._log_answer)
        server = HttpServer(front.handle, LIMITS, refusal)
        try:
            await server.start(door)
        except OSError:  # another machine was starting at the same time, and was quicker
            raise self._port_is_taken() from None
        self._cleanup.push_async_callback(server.stop, 5.0)
        write_note(self._layout, self.base_url, self.functions.invoke_url, self.functions.endpoints)
        self._cleanup.callback(remove_note, self._layout)
        await self._check_health()

    async def _make_credentials(self, issuer: str) -> None:
        function = self.deployment.find_function("Provisioning")
        had_file = self._layout.credentials.exists()
        if function is None:
            self._say("The template has no function Provisioning, so there are no accounts")

        async def provision(payload: bytes) -> Outcome:
            return await self.functions.invoke("Provisioning", payload)

        credentials = Credentials(self._layout.credentials, provision if function else None)
        made = await credentials.ensure(self.base_url, issuer, is_new_data=self._is_new_data)
        if made and not self._is_new_data and not had_file:
            self._say("The credentials file was missing, so there are new demo accounts")

    async def _warm_health(self) -> None:
        match = RouteTable(self.deployment.routes).match("GET", "/health")
        if match is not None:
            await self.functions.workers.warm(self.deployment.functions[match.route.function])

    async def _check_health(self) -> None:
        http = HttpClient(int(self.base_url.rpartition(":")[2]))
        answer = await http.request("GET", "/health", {})
        await http.close()
        if answer.status != 200:
            raise MachineError(f"GET /health answers {answer.status}; the functions' logs are in {self._layout.logs}")

    def _log_answer(self, logical_id: str, text: str) -> None:
        self.functions.note(self.deployment.functions[logical_id], "", text)

    # ------------------------------------------------------------------ while it is up

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(UPKEEP_EVERY)
            await self.functions.workers.reap()
            self._launcher.bound_logs()

    async def _watch(self, name: str, wait: Callable[[], asyncio.Future[int]]) -> None:
        await asyncio.shield(wait())
        if not self.broken.done():
            self.broken.set_result(f"{name} ended unexpectedly; its log is in {self._layout.logs}")


def choose_engine(layout: Layout) -> str:
    """Which DynamoDB there is; TOLLGATE_DYNAMODB=ministack does without dynoxide's binary."""
    if os.environ.get("TOLLGATE_DYNAMODB") == "ministack" or not layout.dynoxide.exists():
        return "ministack"
    return "dynoxide"


_STARTING = {
    "dynoxide": "Starting DynamoDB (dynoxide), queues, keys and buckets (ministack), an OpenID Provider",
    "ministack": "Starting DynamoDB (ministack's: dynoxide's binary is not here), queues, keys, buckets (ministack)",
}
