"""`.local/credentials.json`: two demo accounts with all that a caller needs, made through the `provisioning` function.

The file is the only place where the secrets are readable, so it is for its owner alone (mode 600) and is never rebuilt
while it and the data it belongs to are there.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from local.processes import replace_file
from local.workers import Outcome

ACCOUNTS = ("demo", "other")
_RISK = {"edition": "connect", "pci_level": "SAQ_D"}
Provision = Callable[[bytes], Awaitable[Outcome]]
Account = dict[str, Any]


class ProvisioningError(Exception):
    """The provisioning function failed; its log has the reason."""


class Credentials:
    """The credentials of one run. `provision` invokes the function; None if the template has none."""

    def __init__(self, path: Path, provision: Provision | None) -> None:
        self._path = path
        self._provision = provision

    async def ensure(self, base_url: str, issuer: str, *, is_new_data: bool) -> bool:
        """Make the file agree with this run; True if accounts were made.

        Raises:
            ProvisioningError: the function failed.
        """
        content = None if is_new_data else self._read()
        made = content is None
        if content is None:
            names = ACCOUNTS if self._provision else ()
            content = {"base_url": base_url, "accounts": [await self._create(name) for name in names]}
        content["base_url"] = base_url
        for account in content["accounts"]:
            await self._follow_issuer(account, issuer)
        replace_file(self._path, json.dumps(content, indent=2) + "\n", mode=0o600)
        return made

    def _read(self) -> dict[str, Any] | None:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            is_whole = [account["name"] for account in content["accounts"]] == list(ACCOUNTS)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return content if is_whole else None

    async def _create(self, name: str) -> Account:
        answer = await self._call({"action": "create_account", "name": name, "risk": _RISK | {"audience": name}})
        if not isinstance(answer, dict) or "id" not in answer:
            raise ProvisioningError("the provisioning function answered without an account id")
        return answer

    async def _follow_issuer(self, account: Account, issuer: str) -> None:
        """Register the member of this account with the issuer, again if the issuer has another address now."""
        if account.get("oidc", {}).get("issuer") == issuer:
            return
        name = account["name"]
        member = {"issuer": issuer, "client_id": f"tollgate-{name}", "subject": f"{name}-operator"}
        await self._call({"action": "add_oidc_member", "account_id": account["id"], **member})
        account["oidc"] = member

    async def _call(self, payload: dict[str, Any]) -> Any:
        if self._provision is None:
            raise ProvisioningError("the template has no provisioning function")
        outcome = await self._provision(json.dumps(payload).encode())
        if outcome.is_error:
            error = json.loads(outcome.payload)
            kind = error.get("errorType")
            raise ProvisioningError(f"the provisioning function failed ({kind}); see Provisioning.log in .local/logs")
        answer = json.loads(outcome.payload)
        if isinstance(answer, dict) and "classifier" in answer:
            raise ProvisioningError(f"{payload['action']} was refused: {answer.get('message')}")
        return answer
