"""The lines of the guide to sessions work when pasted one after the other."""

from __future__ import annotations

import re
import subprocess

from tests.e2e.stack import Stack
from tests.support.environment import ROOT


def test_the_guides_shell_lines_work_when_pasted(stack: Stack) -> None:
    guide = (ROOT / "docs/guides/sessions.md").read_text("utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)
    # The shop has tests of its own, and the clock is shared by all tests of this stack.
    pasted = [block for block in blocks if "shop.py" not in block and "/sandbox/clock" not in block]
    assert len(pasted) == len(blocks) - 2 == 5
    script = "\n".join(pasted).replace("http://127.0.0.1:8080", stack.base_url).replace(".local/", f"{stack.data}/")
    ran = subprocess.run(["sh", "-eu", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert '"next_action":"tokenize_card"' in ran.stdout
    assert '"next_action":null,"status":"success"' in ran.stdout
    assert '"masked_account_number":"424242******4242"' in ran.stdout
