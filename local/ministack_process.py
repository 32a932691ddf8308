"""ministack with the one call of the key service that it lacks and functions make: `ReEncrypt`.

Run by ministack's own interpreter, in place of its `ministack` program. Must not import anything of this project.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Answer = tuple[int, Mapping[str, str], bytes]
Handle = Callable[..., Awaitable[Answer]]

_TARGET = "x-amz-target"
_SERVICE = "TrentService."


def with_re_encrypt(handle: Handle) -> Handle:
    """The handler of the key service that opens under the source key and seals under the destination key.

    Shapes: https://docs.aws.amazon.com/kms/latest/APIReference/API_ReEncrypt.html. What either step refuses is the
    answer, as it is in the service.
    """

    async def answer(method: str, path: str, headers: Mapping[str, str], body: bytes, query: Any) -> Answer:
        async def ask(action: str, members: Mapping[str, Any]) -> Answer:
            named = {**headers, _TARGET: f"{_SERVICE}{action}"}
            return await handle(method, path, named, json.dumps(members).encode(), query)

        if headers.get(_TARGET) != f"{_SERVICE}ReEncrypt":
            return await handle(method, path, headers, body, query)
        asked = json.loads(body)
        opened = await ask("Decrypt", _present(asked, CiphertextBlob="CiphertextBlob", **_of("Source")))
        if opened[0] != 200:
            return opened
        source = json.loads(opened[2])
        sealing = _present(asked, **_of("Destination")) | {"Plaintext": source["Plaintext"]}
        sealed = await ask("Encrypt", sealing)
        if sealed[0] != 200:
            return sealed
        made = json.loads(sealed[2]) | {"SourceKeyId": source["KeyId"]}
        return sealed[0], sealed[1], json.dumps(made).encode()

    return answer


def _of(side: str) -> dict[str, str]:
    return {"KeyId": f"{side}KeyId", "EncryptionContext": f"{side}EncryptionContext"}


def _present(asked: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {name: asked[given] for name, given in names.items() if given in asked}


if __name__ == "__main__":
    from ministack import app  # type: ignore[import-not-found]
    from ministack.services import kms  # type: ignore[import-not-found]

    kms.handle_request = with_re_encrypt(kms.handle_request)
    app.main()
