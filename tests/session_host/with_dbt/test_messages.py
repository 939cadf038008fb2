"""Messages are what protobuf's reader of JSON makes of the same values, with the same errors."""

import datetime
import enum
import random
import unittest
from typing import Any

import dbt.adapters.events.base_types
import dbt.events.base_types
import dbt.events.types
import support  # noqa: F401 puts the package on the path
from dbt_common.events import base_types
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.json_format import ParseDict
from host.shortcuts.messages import Messages, filled_with

KINDS = (
    base_types.BaseEvent,
    dbt.events.base_types.CoreBaseEvent,
    dbt.adapters.events.base_types.AdapterBaseEvent,
)
MODULES = [kind.PROTO_TYPES_MODULE for kind in KINDS]


class Status(str, enum.Enum):
    GOOD = "good"


class Text(str):
    pass


ODD = [
    None,
    "",
    "text",
    "ü€😀",
    "lone \ud800",
    Text("text"),
    Status.GOOD,
    b"bytes",
    True,
    False,
    0,
    1,
    -1,
    2**31,
    2**63,
    2**70,
    1.0,
    1.5,
    1e300,
    float("nan"),
    float("inf"),
    "NaN",
    "7",
    "7.0",
    " 7",
    "true",
    [],
    ["a"],
    [1],
    [None],
    (),
    ("a", "b"),
    {},
    {"a": "b"},
    {"a": 1},
    {1: "a"},
    {"a": b"b"},
    {b"a": "b"},
    {"a": None},
    {"unknown": "field"},
    "2026-02-30T00:00:00Z",
    "2026-11-25T10:00:00.123456Z",
    "2026-11-25T10:00:00+02:00",
    datetime.datetime(2026, 11, 25, tzinfo=datetime.timezone.utc),
    object,
]


def good(field: Any, chance: random.Random, depth: int) -> Any:
    """A value that dbt could give."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return {
            chance.choice("abc"): good(field.message_type.fields_by_name["value"], chance, depth)
            for _ in range(chance.randrange(3))
        }
    if field.is_repeated:
        return [one(field, chance, depth) for _ in range(chance.randrange(3))]
    return one(field, chance, depth)


def one(field: Any, chance: random.Random, depth: int) -> Any:
    if field.message_type is not None:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            return chance.choice(
                [
                    "2026-11-25T10:00:00.123456Z",
                    "2026-11-25T10:00:00Z",
                    "1969-12-31T23:59:59.000001Z",
                ]
            )
        if field.message_type.full_name.startswith("google.protobuf."):
            return {"a": [1, None, {"b": "c"}]}
        return values(field.message_type, chance, depth + 1) if depth < 3 else {}
    if field.type == field.TYPE_STRING:
        return chance.choice(["", "text", "ü€😀\n"])
    if field.type == field.TYPE_BOOL:
        return chance.random() < 0.5
    return (
        chance.choice([0, 1, -1, 2**31 - 1])
        if field.type in (field.TYPE_INT32, field.TYPE_INT64)
        else chance.choice([0.0, 1.25, -3])
    )


def values(descriptor: Any, chance: random.Random, depth: int = 0, odd: float = 0.0) -> dict:
    made = {}
    for field in descriptor.fields:
        if chance.random() < 0.7:
            name = field.json_name if chance.random() < odd / 3 else field.name
            made[name] = chance.choice(ODD) if chance.random() < odd else good(field, chance, depth)
    if chance.random() < odd / 3:
        made["no_such_field"] = "text"
    return made


def outcome(read: Any, given: Any, kind: Any) -> Any:
    message = kind()
    try:
        result = read(given, message)
        assert result is message
        return (
            message.SerializeToString(deterministic=True),
            str(message),
            [field.name for field, _ in message.ListFields()],
        )
    except Exception as error:
        return type(error), str(error)


def made_up() -> Any:
    """A kind of message with what dbt's have not, or not yet."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="made_up.proto",
        package="made_up",
        syntax="proto3",
        dependency=[module.DESCRIPTOR.name for module in (struct_pb2, timestamp_pb2, wrappers_pb2)],
    )
    grouped = file.message_type.add(name="Grouped")
    grouped.oneof_decl.add(name="either")
    for number, name in enumerate(("left", "right"), 1):
        grouped.field.add(
            name=name,
            number=number,
            type=kinds.TYPE_STRING,
            label=kinds.LABEL_OPTIONAL,
            oneof_index=0,
        )
    color = file.enum_type.add(name="Color")
    color.value.add(name="RED", number=0)
    color.value.add(name="BLUE", number=1)
    message = file.message_type.add(name="Message")
    plain = [
        ("uint", kinds.TYPE_UINT32),
        ("fixed", kinds.TYPE_SFIXED64),
        ("double", kinds.TYPE_DOUBLE),
        ("float", kinds.TYPE_FLOAT),
        ("bytes", kinds.TYPE_BYTES),
        ("some_name", kinds.TYPE_STRING),
        ("someName", kinds.TYPE_INT32),
        ("long", kinds.TYPE_INT64),
    ]
    for number, (name, kind) in enumerate(plain, 1):
        # Two that could be meant by one name in JSON.
        message.field.add(
            name=name,
            number=number,
            type=kind,
            label=kinds.LABEL_OPTIONAL,
            json_name={"some_name": "someName", "someName": "other"}.get(name),
        )
    message.field.add(
        name="color",
        number=20,
        type=kinds.TYPE_ENUM,
        type_name=".made_up.Color",
        label=kinds.LABEL_OPTIONAL,
    )
    for number, (name, kind) in enumerate(
        [
            ("grouped", ".made_up.Grouped"),
            ("value", ".google.protobuf.Value"),
            ("wrapped", ".google.protobuf.StringValue"),
            ("itself", ".made_up.Message"),
            ("moment", ".google.protobuf.Timestamp"),
        ],
        30,
    ):
        message.field.add(
            name=name,
            number=number,
            type=kinds.TYPE_MESSAGE,
            type_name=kind,
            label=kinds.LABEL_OPTIONAL,
        )
    message.field.add(
        name="many",
        number=38,
        type=kinds.TYPE_MESSAGE,
        type_name=".made_up.Message",
        label=kinds.LABEL_REPEATED,
    )
    entry = message.nested_type.add(name="TextsEntry")
    entry.options.map_entry = True
    for number, name in enumerate(("key", "value"), 1):
        entry.field.add(
            name=name, number=number, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL
        )
    message.field.add(
        name="texts",
        number=39,
        type=kinds.TYPE_MESSAGE,
        type_name=".made_up.Message.TextsEntry",
        label=kinds.LABEL_REPEATED,
    )
    message.oneof_decl.add(name="_perhaps")
    message.field.add(
        name="perhaps",
        number=40,
        type=kinds.TYPE_STRING,
        label=kinds.LABEL_OPTIONAL,
        oneof_index=0,
        proto3_optional=True,
    )
    pool = descriptor_pool.Default()
    pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("made_up.Message"))


class Events(unittest.TestCase):
    def setUp(self) -> None:
        self.ours = filled_with(ParseDict)

    def kinds(self) -> list:
        found = [
            kind
            for module in MODULES
            for kind in vars(module).values()
            if hasattr(kind, "DESCRIPTOR") and isinstance(kind, type)
        ]
        self.assertGreater(len(found), 400)
        return found

    def compare(self, given: Any, kind: Any) -> Any:
        expected = outcome(ParseDict, given, kind)
        self.assertEqual(
            outcome(self.ours, given, kind), expected, f"{kind.DESCRIPTOR.full_name}: {given}"
        )
        return expected

    def test_what_dbt_says(self) -> None:
        chance, filled = random.Random(1), 0
        for kind in self.kinds():
            for _ in range(6):
                filled += not isinstance(
                    self.compare(values(kind.DESCRIPTOR, chance), kind)[0], type
                )
        self.assertGreater(filled, 2000)

    def test_what_nobody_should_say(self) -> None:
        chance, wrong = random.Random(2), 0
        for kind in self.kinds():
            for _ in range(6):
                wrong += isinstance(
                    self.compare(values(kind.DESCRIPTOR, chance, odd=0.3), kind)[0], type
                )
        self.assertGreater(wrong, 500)

    def test_each_odd_value_in_each_kind_of_field(self) -> None:
        kind = made_up()
        for field in kind.DESCRIPTOR.fields:
            for name in {field.name, field.json_name}:
                for value in ODD:
                    self.compare({name: value}, kind)
                    self.compare({"long": 1, name: value, "perhaps": "x"}, kind)
                    self.compare({"itself": {name: value}}, kind)

    def test_fields_that_are_only_right_together(self) -> None:
        given: Any
        inner: Any
        kind = made_up()
        for given in (
            {"left": "a"},
            {"right": "b"},
            {"left": "a", "right": "b"},
            {"left": None, "right": "b"},
            {"left": None, "right": None},
        ):
            self.compare({"grouped": given}, kind)
        for given in (
            {"some_name": "a", "someName": "b"},
            {"some_name": "a"},
            {"someName": "b"},
            {"other": 1},
            {"other": 1, "someName": "c"},
        ):
            self.compare(given, kind)
        for inner in (
            {},
            {"moment": "2026-11-25T10:00:00Z"},
            {"value": {"a": 1}},
            {"many": [{"many": [{}]}]},
            {"perhaps": "x"},
        ):
            nested: dict = inner
            for depth in range(110):
                nested = {"itself": nested}
                if depth > 90:
                    self.compare(nested, kind)
        for theirs in (
            struct_pb2.Value,
            struct_pb2.Struct,
            timestamp_pb2.Timestamp,
            wrappers_pb2.StringValue,
        ):
            for given in (*ODD, {"seconds": 5}, {"value": "x"}):
                self.compare(given, theirs)
        for given in (None, [], "text", {1: "a"}, {"perhaps": ""}, {"perhaps": None}):
            self.compare(given, kind)

    def test_dbt_reads_with_ours(self) -> None:
        def event() -> Any:
            return dbt.events.types.LogStartLine(
                description="d", index=1, total=2, node_info={"node_name": "n", "meta": {"a": "b"}}
            )

        usual, layer = event(), Messages()
        layer.install()
        self.assertIsNot(base_types.ParseDict, ParseDict)
        ours = event()
        self.assertEqual(ours.pb_msg, usual.pb_msg)
        message = base_types.msg_from_base_event(ours)
        self.assertEqual((message.info.name, message.data), ("LogStartLine", usual.pb_msg))
        layer.remove()
        self.assertIs(base_types.ParseDict, ParseDict)


if __name__ == "__main__":
    unittest.main()
