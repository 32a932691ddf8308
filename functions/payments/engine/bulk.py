"""Bulk requests: a list of operations, each with a transaction, a status and an error of its own, in order.

The request as a whole answers 200 whatever came of its parts. An element of an update names its object by `id`, which
the published models lack (docs/decisions/0030-resource-engine.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from payments.engine.errors import ObjectNotFound, TooManyOperations
from payments.engine.faults import BadBody
from payments.engine.models import Context
from payments.engine.service import ResourceService
from tollgate.dialects.payments import PAYMENTS
from tollgate.errors import Failure, Fault, Malformed

MOST_OPERATIONS: Final = 100

Result = dict[str, Any]


def carried_out(body: Any, act: Callable[[Any], Result]) -> list[Result]:
    """The results of all operations.

    Raises:
        Malformed: the body is no list.
        TooManyOperations: it holds more than one may (413).
    """
    if not isinstance(body, list):
        raise Malformed("The body must be a list")
    if len(body) > MOST_OPERATIONS:
        raise TooManyOperations(MOST_OPERATIONS)
    return [_attempted(each, act) for each in body]


def create(service: ResourceService, context: Context, body: Any) -> Result:
    made = service.create(context, body)
    return _result(service, context, 201, made.entity.id)


def update(service: ResourceService, context: Context, body: Any) -> Result:
    number = _id_of(body.get("id") if isinstance(body, dict) else None, "id")
    before = service.read(context, number)
    return _result(service, context, 200, service.update(context, before, body).id)


def delete(service: ResourceService, context: Context, body: Any) -> Result:
    number = _id_of(body, "$")
    service.delete(context, number)
    return {"statusCode": 204, "id": number}


def _attempted(element: Any, act: Callable[[Any], Result]) -> Result:
    try:
        return act(element)
    except Failure as failure:
        result: Result = {"statusCode": PAYMENTS.kind_of(failure).status, "error": PAYMENTS.error_body(failure)}
        named = element.get("id") if isinstance(element, dict) else element
        return {**result, "id": named} if isinstance(named, int) and not isinstance(named, bool) else result


def _id_of(value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadBody([Fault(path, "must be the id of the object")])
    if value < 1:
        raise ObjectNotFound
    return value


def _result(service: ResourceService, context: Context, status: int, number: int) -> Result:
    return {"statusCode": status, "id": number, "link": f"{context.base}{service.resource.path}/{number}"}
