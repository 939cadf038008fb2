"""Owns the filling of dbt's event messages (protobuf) without the detour over JSON.

A message takes texts and numbers as they are; dbt hands each to protobuf's reader of JSON, in a
dozen calls. Whatever else is in a message still goes to that reader, as does all of a message that
cannot be filled so.
"""

from __future__ import annotations

import sys
from typing import Any, Callable

from .. import seams

#: So deep may messages lie in each other, for the reader as well.
DEEP = 100
#: The library's own kinds of messages have a form of their own in JSON.
THEIRS = "google.protobuf."
#: What fields take, beside the types of Python that they take as they are.
MESSAGE, MOMENT, TEXTS, ANYTHING = "message", "moment", "texts by text", "anything"


class Messages:
    name, since = "the direct filling of messages", (1, 8)

    def __init__(self) -> None:
        self.replaced = seams.Replaced()

    def install(self) -> None:
        place = "dbt_common.events.base_types"
        usual = seams.fetch(place, "ParseDict", ("values", "message"))
        if usual is not seams.fetch("google.protobuf.json_format", "ParseDict"):
            raise seams.Missing(f"{place}.ParseDict is not protobuf's")
        self.replaced.put(sys.modules[place], "ParseDict", filled_with(usual))

    def remove(self) -> None:
        self.replaced.undo()


def filled_with(usual: Callable[..., Any]) -> Callable[..., Any]:
    kinds: dict[Any, dict[str, object]] = {}

    def fill(values: Any, message: Any, *rest: Any, **options: Any) -> Any:
        """`message` is a new one."""
        if rest or options:
            return usual(values, message, *rest, **options)
        try:
            put(values, message)
        except Exception:
            # It knows what to make of them, or what is wrong.
            message.Clear()
            return usual(values, message)
        else:
            return message

    def put(values: Any, message: Any, left: int = DEEP) -> None:
        if left == 0:
            raise RecursionError
        descriptor = message.DESCRIPTOR
        known = kinds.get(descriptor)
        if known is None:
            known = kinds[descriptor] = fields(descriptor)
        for name, value in values.items():
            wanted, given = known[name], type(value)
            if given is wanted:
                setattr(message, name, value)
            elif wanted is ANYTHING:
                usual({name: value}, message, max_recursion_depth=left)
            elif value is None:
                # As if it was not there.
                pass
            elif wanted is MESSAGE and given is dict:
                inner = getattr(message, name)
                inner.SetInParent()
                put(value, inner, left - 1)
            elif wanted is MOMENT and given is str and left > 1:
                inner = getattr(message, name)
                inner.SetInParent()
                inner.FromJsonString(value)
            elif (
                wanted is TEXTS
                and given is dict
                and all(type(key) is type(text) is str for key, text in value.items())
            ):
                getattr(message, name).update(value)
            else:
                usual({name: value}, message, max_recursion_depth=left)

    return fill


def fields(descriptor: Any) -> dict[str, object]:
    """What the fields of a kind of message take, by name."""
    if descriptor.full_name.startswith(THEIRS):
        raise TypeError(descriptor.full_name)
    # Of a group only one may be given, so they have to be seen together. A group of one is how a
    # field says that it is optional.
    if any(len(group.fields) > 1 for group in descriptor.oneofs):
        return {}
    by_json_name = {field.json_name: field for field in descriptor.fields}
    return {
        field.name: taken(field)
        for field in descriptor.fields
        if by_json_name.get(field.name, field) is field
    }


def taken(field: Any) -> object:
    inner = field.message_type
    if is_repeated(field):
        pair = inner and inner.GetOptions().map_entry and [part.type for part in inner.fields]
        return TEXTS if pair == [field.TYPE_STRING, field.TYPE_STRING] else ANYTHING
    if inner is not None:
        if inner.full_name == "google.protobuf.Timestamp":
            return MOMENT
        return ANYTHING if inner.full_name.startswith(THEIRS) else MESSAGE
    return {
        field.TYPE_STRING: str,
        field.TYPE_BOOL: bool,
        field.TYPE_INT32: int,
        field.TYPE_INT64: int,
    }.get(field.type, ANYTHING)


def is_repeated(field: Any) -> bool:
    if hasattr(field, "is_repeated"):
        return bool(field.is_repeated)
    # The older way to say it.
    return bool(field.label == field.LABEL_REPEATED)
