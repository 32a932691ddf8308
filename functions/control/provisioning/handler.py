"""Direct invocation by an operator: `aws lambda invoke --function-name … --payload '{"action": "create_account", …}'`.

There is no event source. Whoever may invoke the function may provision; nobody else can.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from control.provisioning.public import Provisioning
from tollgate import config, sandbox_clock
from tollgate.config import PaymentsSettings
from tollgate.dialects.vault import VAULT
from tollgate.errors import Failure
from tollgate.log import Journal

_settings = config.load(PaymentsSettings)
_provisioning = Provisioning.of(_settings)
_journal = Journal("provisioning", _settings.log_level)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Carry out one payload; a refusal is an answer with `classifier`, like the vault's errors."""
    sandbox_clock.refresh()
    try:
        answer = _provisioning.carry_out(event)
    except Failure as failure:
        _journal.note("refused", failure=type(failure).__name__)
        return dict(VAULT.error_body(failure))
    _journal.note("provisioned", action=str(event["action"]), account_id=answer["id"])
    return answer
