"""Owns the filling of dbt's event messages (protobuf) without the detour over JSON."""


def fill_messages_directly():
    """A message takes texts and numbers as they are; dbt hands each to protobuf's reader of
    JSON, in a dozen calls.
    """
    place, reader = (
        try_import("dbt_common.events.base_types"),
        try_import("google.protobuf.json_format"),
    )
    usual = getattr(reader, "ParseDict", None)
    if usual is not None and getattr(place, "ParseDict", None) is usual:
        place.ParseDict = filled_with(usual)


# So deep may messages lie in each other, for the reader as well.
DEEP = 100
# The library's own kinds of messages have a form of their own in JSON.
THEIRS = "google.protobuf."
# What fields take, beside the types of Python that they take as they are.
MESSAGE, MOMENT, TEXTS, ANYTHING = "message", "moment", "texts by text", "anything"


def filled_with(usual):
    kinds = {}

    def fill(values, message):
        """`message` is a new one."""
        try:
            put(values, message)
            return message
        except Exception:
            # It knows what to make of them, or what is wrong.
            message.Clear()
            return usual(values, message)

    def put(values, message, left=DEEP):
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


def fields(descriptor):
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


def taken(field):
    inner = field.message_type
    # The label is the older way to say it.
    if (
        getattr(field, "is_repeated", None)
        or not hasattr(field, "is_repeated")
        and field.label == field.LABEL_REPEATED
    ):
        pair = (
            inner is not None
            and inner.GetOptions().map_entry
            and [part.type for part in inner.fields]
        )
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
