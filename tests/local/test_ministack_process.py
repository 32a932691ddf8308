"""`ReEncrypt` of the local key service: both steps, and the refusal of either."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any

from local.ministack_process import Answer, with_re_encrypt

ASKED = {
    "CiphertextBlob": base64.b64encode(b"old|a").decode(),
    "SourceKeyId": "old",
    "SourceEncryptionContext": {"owner": "a"},
    "DestinationKeyId": "new",
    "DestinationEncryptionContext": {"owner": "b"},
}


async def _service(method: str, path: str, headers: Mapping[str, str], body: bytes, query: Any) -> Answer:
    """A key service whose ciphertext is the key's name and the context's owner."""
    asked = json.loads(body)
    bound = f"{asked['KeyId']}|{asked['EncryptionContext']['owner']}"
    if headers["x-amz-target"] == "TrentService.Decrypt":
        if base64.b64decode(asked["CiphertextBlob"]).decode() != bound:
            return 400, {}, b'{"__type": "InvalidCiphertextException"}'
        return 200, {}, json.dumps({"KeyId": asked["KeyId"], "Plaintext": "c2VjcmV0"}).encode()
    if asked["KeyId"] == "gone":
        return 400, {}, b'{"__type": "NotFoundException"}'
    sealed = {"KeyId": asked["KeyId"], "CiphertextBlob": bound, "was": asked["Plaintext"]}
    return 200, {}, json.dumps(sealed).encode()


def _ask(action: str = "ReEncrypt", **changes: Any) -> tuple[int, Any]:
    headers = {"x-amz-target": f"TrentService.{action}"}
    call = with_re_encrypt(_service)("POST", "/", headers, json.dumps({**ASKED, **changes}).encode(), {})
    status, _, body = asyncio.run(call)  # type: ignore[arg-type, var-annotated]
    return status, json.loads(body)


def test_opens_under_the_source_and_seals_under_the_destination() -> None:
    made = {"KeyId": "new", "CiphertextBlob": "new|b", "was": "c2VjcmV0", "SourceKeyId": "old"}
    assert _ask() == (200, made)


def test_another_source_context_is_refused() -> None:
    assert _ask(SourceEncryptionContext={"owner": "z"}) == (400, {"__type": "InvalidCiphertextException"})


def test_a_destination_that_is_not_there_is_refused() -> None:
    assert _ask(DestinationKeyId="gone") == (400, {"__type": "NotFoundException"})


def test_other_calls_go_through_as_they_are() -> None:
    assert _ask("Encrypt", KeyId="x", EncryptionContext={"owner": "y"}, Plaintext="eA==")[1]["CiphertextBlob"] == "x|y"
