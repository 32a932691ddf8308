"""Typed dictionaries as pydantic models, for their JSON schemas only.

The functions use the standard library's `TypedDict`, which costs them nothing; pydantic reads those only from Python
3.12 on, so the generator translates them.
"""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import Any, Union, get_args, get_origin, is_typeddict

from pydantic import BaseModel, ConfigDict, create_model


def modelled(shape: Any) -> Any:
    """`shape` with every typed dictionary in it replaced by a model of the same name and members."""
    if is_typeddict(shape):
        return _model(shape)
    origin, arguments = get_origin(shape), get_args(shape)
    if origin in (Union, types.UnionType):
        return Union[tuple(modelled(each) for each in arguments)]  # noqa: UP007 -- built at run time
    if origin in (list, dict, tuple):
        return origin[tuple(modelled(each) for each in arguments)]
    return shape


@cache
def _model(shape: Any) -> type[BaseModel]:
    members: dict[str, Any] = {}
    # Under postponed annotations `__required_keys__` does not know of NotRequired: the resolved hints do.
    marked = typing.get_type_hints(shape, include_extras=True)
    for name, hint in typing.get_type_hints(shape, include_extras=False).items():
        required = name in shape.__required_keys__ and get_origin(marked[name]) is not typing.NotRequired
        members[name] = (modelled(hint), ... if required else None)
    text = (shape.__doc__ or "").strip()
    return create_model(shape.__name__, __config__=ConfigDict(json_schema_extra={"description": text}), **members)
