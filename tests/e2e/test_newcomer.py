"""What somebody sees who has just typed `make run`: the README's lines, the whole life of a card, bearer tokens."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.stack import Stack
from tests.support.environment import ROOT

CARD = {
    "cardholder_name": "John Doe",
    "expiry_month": 4,
    "expiry_year": 2033,
    "account_number": "4242424242424242",
    "security_code": "123",
}


def test_the_readmes_shell_lines_work_when_pasted(stack: Stack) -> None:
    readme = (ROOT / "README.md").read_text()
    block = re.search(r"## A first token.*?```sh\n(.*?)```", readme, re.DOTALL)
    assert block
    script = block.group(1).replace("http://127.0.0.1:8080", stack.base_url)
    script = script.replace(".local/credentials.json", str(stack.data / "credentials.json"))
    ran = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert '"masked_account_number":"424242******4242"' in ran.stdout
    assert '"total_items":' in ran.stdout
    assert "HTTP/1.1 204" in ran.stdout


def test_a_card_lives_and_dies_over_http(stack: Stack) -> None:
    made = stack.send("POST", "/cde-import", account="demo", json_body=CARD)
    assert made.status == 200
    path = f"/tokens/{made.json['id']}"
    assert stack.send("GET", path, account="demo").json == made.json
    assert stack.send("GET", path, account="other").status == 404
    assert stack.send("DELETE", path, account="other").status == 404
    assert stack.send("DELETE", path, account="demo").status == 204
    assert stack.send("GET", path, account="demo").status == 404


def test_an_id_token_of_a_foreign_provider_reads_and_does_not_import(stack: Stack) -> None:
    command = [sys.executable, "-m", "local", "--data", str(stack.data), "id-token", "--account", "demo"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    bearer = {"authorization": f"Bearer {printed.stdout.strip()}"}
    assert stack.send("GET", "/tokens", headers=bearer).status == 200
    assert stack.send("POST", "/cde-import", headers=bearer, json_body=CARD).status == 401
    other = {"x-hellgate-account": stack.credentials("other")["id"]}
    assert stack.send("GET", "/tokens", headers={**bearer, **other}).status == 403
    forged = {"authorization": bearer["authorization"][:-4] + "AAAA"}
    assert stack.send("GET", "/tokens", headers=forged).status == 401


def test_fifty_requests_with_one_key_make_one_token(stack: Stack) -> None:
    def send(_: int) -> bytes:
        answer = stack.send(
            "POST", "/cde-import", account="other", json_body=CARD, headers={"x-idempotency-key": "fifty"}
        )
        assert answer.status == 200, answer.body
        return answer.body

    before = stack.send("GET", "/tokens", account="other").json["total_items"]
    with ThreadPoolExecutor(50) as pool:
        assert len(set(pool.map(send, range(50)))) == 1
    assert stack.send("GET", "/tokens", account="other").json["total_items"] == before + 1


def test_paths_of_nobody_answer_in_the_familys_words(stack: Stack) -> None:
    for target in ("/", "/nothing", "/tokens/a/b/c", "//tokens", "/cde-import/"):
        answer = stack.send("GET", target)
        assert (answer.status, answer.json["classifier"]) == (404, "NOT_FOUND"), target
        assert answer.headers["x-hellgate-version"] == "2.0"


def test_the_document_is_the_committed_one(stack: Stack) -> None:
    answer = stack.send("GET", "/openapi/vault.json")
    assert answer.body == (ROOT / "docs/openapi/vault.json").read_bytes()
    assert json.loads(answer.body)["openapi"] == "3.1.0"


def test_the_clock_is_one_for_all_functions(own_stack: Stack) -> None:
    before = own_stack.send("GET", "/sandbox/clock").json["offset_seconds"]
    moved = own_stack.send("POST", "/sandbox/clock", json_body={"advance_seconds": 86400})
    assert (moved.status, moved.json["offset_seconds"]) == (200, before + 86400)
    made = own_stack.send("POST", "/cde-import", account="demo", json_body=CARD).json
    assert made["created_at"][:10] == moved.json["now"][:10]
