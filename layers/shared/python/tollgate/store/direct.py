"""A DynamoDB client that makes the first attempt of a call itself, without what botocore does for services in general.

A botocore call costs about three times what its work costs: parsing by shapes, resolving endpoints, rebuilding
requests, signing in general. This signs the parameters as they are (Signature Version 4), sends them, and answers what
is certain: a success, or a condition that does not hold. Anything else (a lost connection, throttling, an unknown
answer) goes to the botocore client, which then makes its attempts by its own rules as if there had been none. It has
all of that client's methods and emits its events. It changes no meaning: without it calls are slower and nothing else.
Figures are in docs/decisions/0028-dynamodb-calls.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.httpsession import where
from urllib3 import HTTPConnectionPool, Timeout, connection_from_url
from urllib3.exceptions import HTTPError

from tollgate import clock

_CERTAIN: Final = frozenset({"ConditionalCheckFailedException", "TransactionCanceledException"})
"""Refusals that no further attempt is due to."""

_TARGET: Final = "DynamoDB_20120810"
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_HEADERS: Final = {"Content-Type": "application/x-amz-json-1.0", "Accept-Encoding": "identity"}
_SOCKET_OPTIONS: Final[list[Any]] = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
]
"""Head and body are two packets: without the first option the second waits 40 ms to be told of the first."""

Params = dict[str, Any]


class DirectClient:
    """A botocore DynamoDB client whose calls on items are direct."""

    def __init__(self, client: Any, credentials: Credentials) -> None:
        self._client = client
        self._url = f"{client.meta.endpoint_url}/"
        self._events = client.meta.events
        self._model = client.meta.service_model
        self._credentials = credentials
        self._signer = _Signer(client.meta.region_name, urlsplit(self._url).netloc)
        self._pool = _pool(self._url, client.meta.config)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_item(self, **params: Any) -> Params:
        return self._call("GetItem", params, self._client.get_item)

    def batch_get_item(self, **params: Any) -> Params:
        return self._call("BatchGetItem", params, self._client.batch_get_item)

    def query(self, **params: Any) -> Params:
        return self._call("Query", params, self._client.query)

    def put_item(self, **params: Any) -> Params:
        return self._call("PutItem", params, self._client.put_item)

    def update_item(self, **params: Any) -> Params:
        return self._call("UpdateItem", params, self._client.update_item)

    def delete_item(self, **params: Any) -> Params:
        return self._call("DeleteItem", params, self._client.delete_item)

    def transact_write_items(self, **params: Any) -> Params:
        return self._call("TransactWriteItems", params, self._client.transact_write_items)

    def _call(self, operation: str, params: Params, ordinary: Callable[..., Params]) -> Params:
        """One call. Raises what the botocore client does."""
        model = self._model.operation_model(operation)
        for event in ("provide-client-params", "before-parameter-build"):
            self._events.emit(f"{event}.dynamodb.{operation}", params=params, model=model, context={})
        response = self._send(operation, json.dumps(params, separators=(",", ":"), default=_text).encode())
        found = None if response is None else _read(response)
        if found is None:
            return ordinary(**params)
        context = {"model": model, "context": {}, "http_response": response}
        self._events.emit(f"after-call.dynamodb.{operation}", parsed=found, **context)
        if "Error" in found:
            raise self._client.exceptions.from_code(found["Error"]["Code"])(found, operation)
        return found

    def _send(self, operation: str, body: bytes) -> _Response | None:
        """The answer, or None where there is none."""
        headers = self._signer.signed(
            self._credentials.get_frozen_credentials(), {**_HEADERS, "X-Amz-Target": f"{_TARGET}.{operation}"}, body
        )
        request = AWSPreparedRequest("POST", self._url, headers, body, False)  # type: ignore[arg-type]
        _, response = self._events.emit_until_response(f"before-send.dynamodb.{operation}", request=request)
        if response is not None:
            return _Response(response.status_code, response.content)
        try:
            answer = self._pool.urlopen("POST", "/", body, headers, decode_content=False)
        except HTTPError:
            return None
        return _Response(answer.status, answer.data)


class _Response(NamedTuple):
    """An answer over HTTP, as botocore's events show it."""

    status_code: int
    content: bytes


def _pool(url: str, config: Any) -> HTTPConnectionPool:
    """Connections with the time-outs of the client and the certificate authorities that botocore trusts."""
    timeout = Timeout(connect=config.connect_timeout, read=config.read_timeout)
    options: Params = {"timeout": timeout, "maxsize": config.max_pool_connections, "retries": False}
    if url.startswith("https:"):
        options |= {"cert_reqs": "CERT_REQUIRED", "ca_certs": where()}
    return connection_from_url(url, **options, socket_options=_SOCKET_OPTIONS)


class _Signer:
    """Signature Version 4 of a POST to the root of DynamoDB; the signing key of a day is kept."""

    def __init__(self, region: str, host: str) -> None:
        self._region = region
        self._host = host
        self._key: tuple[tuple[str, str], bytes] = (("", ""), b"")

    def signed(self, credentials: ReadOnlyCredentials, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """These headers and those that prove who sends them with this body."""
        moment = f"{clock.wall():%Y%m%dT%H%M%SZ}"
        made = {**headers, "X-Amz-Date": moment}
        if credentials.token:
            made["X-Amz-Security-Token"] = credentials.token
        signed = {name.lower(): value for name, value in made.items()} | {"host": self._host}
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{moment[:8]}/{self._region}/dynamodb/aws4_request"
        text = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = self._signing_key(credentials.secret_key or "", moment[:8])
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        credential = f"Credential={credentials.access_key}/{scope}"
        made["Authorization"] = f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
        return made

    def _signing_key(self, secret: str, day: str) -> bytes:
        known, key = self._key
        if known != (secret, day):
            key = b"AWS4" + secret.encode()
            for part in (day, self._region, "dynamodb", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = ((secret, day), key)
        return key


def _read(response: _Response) -> Params | None:
    """A success or a certain refusal as botocore would have parsed it, else None."""
    try:
        found: Params = _decode(response.content.decode())
    except ValueError:
        return None
    found["ResponseMetadata"] = {"HTTPStatusCode": response.status_code}
    if response.status_code == 200:
        return found
    code = str(found.get("__type", "")).rpartition("#")[2]
    if code not in _CERTAIN:
        return None
    return found | {"Error": {"Code": code, "Message": found.get("message") or found.get("Message") or ""}}


def _text(value: object) -> str:
    """Bytes as they stand in JSON."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"no place for {type(value).__name__} in a request")


def _binary(found: dict[str, Any]) -> dict[str, Any]:
    """An attribute value `{"B": text}` with its bytes; the attribute named B of an item has a value that is no text."""
    if len(found) == 1 and type(text := found.get("B")) is str:
        return {"B": base64.b64decode(text)}
    return found


_decode: Final = json.JSONDecoder(object_hook=_binary).decode
