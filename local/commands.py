"""What the commands do: run, services, invoke, reset, id-token. Owns the terminal, the signals and the exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from local.cloud import CloudError
from local.credentials import ProvisioningError
from local.dynamodb import DatabaseError
from local.identity import IdentityError, fetch_id_token
from local.intrinsics import TemplateError
from local.layout import Layout, checkout
from local.machine import Machine, MachineError, Options
from local.running import AlreadyRunningError, take_lock
from local.setup import SetupError, set_up
from local.state import StateError

KNOWN_ERRORS = (
    CloudError,
    DatabaseError,
    IdentityError,
    MachineError,
    ProvisioningError,
    SetupError,
    StateError,
    TemplateError,
)


class CommandError(Exception):
    """The command cannot be carried out; the message is for the user, in one line."""


def say(text: str) -> None:
    print(text, flush=True)


def run(layout: Layout, port: int) -> int:
    """Start everything, say how to use it, and stay until a signal."""
    set_up(layout, say)

    async def use(machine: Machine) -> int:
        say(welcome(layout, machine.base_url))
        raise CommandError(await machine.broken)

    return _with_machine(layout, Options(port=port), use, when_signalled=0)


def services(command: Sequence[str], template: Path | None) -> int:
    """Start everything on free ports with throw-away data, run a command against it, answer its exit code.

    The command finds TOLLGATE_BASE_URL, TOLLGATE_CREDENTIALS, TOLLGATE_DATA and the SDK's endpoint variables.
    """
    data = Path(tempfile.mkdtemp(prefix="tollgate-"))
    layout = checkout(data, template)
    set_up(layout, say)

    async def use(machine: Machine) -> int:
        environment = {
            **os.environ,
            **machine.functions.endpoints,
            "TOLLGATE_BASE_URL": machine.base_url,
            "TOLLGATE_CREDENTIALS": str(layout.credentials),
            "TOLLGATE_DATA": str(layout.data),
        }
        process = await asyncio.create_subprocess_exec(*command, env=environment)
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()

    try:
        return _with_machine(layout, Options(port=0, keeps_data=False), use)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def invoke(layout: Layout, name: str, event: Path) -> int:
    """Invoke one function, on the running machine if there is one, and print its answer. 1 if it failed."""
    try:
        payload = event.read_bytes()
        json.loads(payload)
    except OSError:
        raise CommandError(f"there is no event file {event}") from None
    except ValueError:
        raise CommandError(f"{event} is not JSON") from None
    try:
        take_lock(layout).close()
    except AlreadyRunningError as running:
        if running.note is None:
            raise CommandError("the machine is still starting; try again when it is ready") from None
        return _invoke_running(running.note, name, payload)
    set_up(layout, lambda _: None)

    async def use(machine: Machine) -> int:
        function = machine.deployment.find_function(name)
        if function is None:
            raise CommandError(_unknown(name, machine))
        outcome = await machine.functions.invoke(function.logical_id, payload)
        say(_pretty(outcome.payload))
        return 1 if outcome.is_error else 0

    return _with_machine(layout, Options(is_public=False), use)


def reset(layout: Layout) -> int:
    """Forget all local data."""
    if not layout.data.exists():
        say("There is no local data")
        return 0
    try:
        lock = take_lock(layout)
    except AlreadyRunningError as running:
        raise CommandError(f"{_where(running.note)}; stop it first") from None
    shutil.rmtree(layout.data)
    lock.close()
    say("All local data is gone")
    return 0


def id_token(layout: Layout, account: str) -> int:
    """Print an id token of an account's member; the machine must be running."""
    try:
        accounts = json.loads(layout.credentials.read_text(encoding="utf-8"))["accounts"]
    except (OSError, ValueError, KeyError):
        raise CommandError(f"{layout.credentials} is not there: start the machine first") from None
    found = next((entry["oidc"] for entry in accounts if entry["name"] == account), None)
    if found is None:
        raise CommandError(f"there is no account {account} in {layout.credentials}")
    say(fetch_id_token(found["issuer"], found["client_id"], found["subject"]))
    return 0


def welcome(layout: Layout, base_url: str) -> str:
    """What a newcomer reads: where it is, and three lines that work when pasted."""
    file = layout.credentials
    key = f"""-H "x-api-key: $(sed -n 's/.*"api_key": "\\([^"]*\\)".*/\\1/p' {_quoted(file)} | head -n 1)\""""
    card = {
        "cardholder_name": "John Doe",
        "expiry_month": 4,
        "expiry_year": 2033,
        "account_number": "4242424242424242",
        "security_code": "123",
    }
    return (
        f"\nTollgate is ready: {base_url}\nCredentials:       {file}\n\n"
        f"Import a card, list the tokens, read the health:\n\n"
        f"  curl -s {base_url}/cde-import {key} -H 'content-type: application/json' -d '{json.dumps(card)}'\n"
        f"  curl -s {base_url}/tokens {key}\n"
        f"  curl -s {base_url}/health\n\n"
        f"Ctrl-C stops everything."
    )


def _quoted(path: Path) -> str:
    """The path from here if it is below, in quotes if it needs them."""
    here = Path.cwd()
    text = str(path.relative_to(here) if path.is_relative_to(here) else path)
    return f"'{text}'" if set(text) & set(' ()$&;*?"') else text


def _invoke_running(note: dict[str, Any], name: str, payload: bytes) -> int:
    url = f"{note['invoke_url']}/2015-03-31/functions/{name}/invocations"
    request = urllib.request.Request(url, payload, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=900) as answer:
            say(_pretty(answer.read()))
            return 1 if answer.headers.get("x-amz-function-error") else 0
    except urllib.error.HTTPError as error:
        raise CommandError(json.load(error).get("Message", str(error))) from None


def _pretty(payload: bytes) -> str:
    try:
        return json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    except ValueError:
        return payload.decode("utf-8", "replace")


def _unknown(name: str, machine: Machine) -> str:
    return f"the template has no function {name}; it has {', '.join(sorted(machine.deployment.functions))}"


def _where(note: dict[str, Any] | None) -> str:
    return f"Tollgate is already running at {note['base_url']}" if note else "Tollgate is already starting here"


def _with_machine(
    layout: Layout, options: Options, use: Callable[[Machine], Awaitable[int]], *, when_signalled: int = 130
) -> int:
    """Start a machine, use it, stop it; a signal ends the use and still stops it properly.

    For `run` a signal is success, and only `run` tells of its steps.
    """

    async def live() -> int:
        machine = Machine(layout, options, (lambda _: None) if when_signalled else say)
        task = asyncio.current_task()
        for chosen in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(chosen, _cancel_once(task))
        try:
            await machine.start()
            return await use(machine)
        finally:
            await machine.stop()

    try:
        return asyncio.run(live())
    except asyncio.CancelledError:
        return when_signalled
    except AlreadyRunningError as running:
        raise CommandError(_where(running.note)) from None


def _cancel_once(task: asyncio.Task[Any] | None) -> Callable[[], None]:
    """The first signal stops properly; more of them change nothing, since stopping is what saves the data."""
    told: list[bool] = []

    def cancel() -> None:
        if not told and task is not None:
            told.append(True)
            print("\nStopping", file=sys.stderr)
            task.cancel()

    return cancel
