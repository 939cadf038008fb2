#!/usr/bin/env python3
"""Read the AWS provider's schema out of its TypeScript bindings, in the shape of `terraform
providers schema -json`.

    extract_schema.py WHEEL SCHEMA.json TYPE…

The provider itself is only to be had from Terraform's own registry, but the package
cdktn-provider-aws carries bindings that are generated from its schema: names, types, nesting, and
what is required, optional or computed. Not in it: which values an argument takes, and which
arguments exclude each other. TYPE is a resource (aws_s3_bucket) or a data source (data.aws_region);
the provider's own block is always taken.
"""

import io
import json
import re
import sys
import tarfile
import zipfile
from typing import Any

SCALARS = {"string": "string", "number": "number", "boolean": "bool", "any": "string"}
# One entry of what the bindings hand to Terraform: name, whether it is a block, its collection, and
# what is collected.
ENTRY = re.compile(
    r'^\s+(\w+): \{\n\s+value: .*\n\s+isBlock: (true|false),\n\s+type: "(\w+)",\n'
    r'\s+storageClassType: "(\w+)"',
    re.M,
)
# The comment before each property, and the code up to the next one.
PROPERTY = re.compile(r"^\s+// (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n", re.M)
# Which getter stands for which type, where nothing is handed to Terraform: computed attributes.
GETTERS = [
    ("new cdktn.StringMap", ["map", "string"]),
    ("getStringMapAttribute", ["map", "string"]),
    ("new cdktn.AnyMap", ["map", "string"]),
    ("new cdktn.BooleanMap", ["map", "bool"]),
    ("getNumberAttribute", "number"),
    ("getBooleanAttribute", "bool"),
    ("getNumberListAttribute", ["list", "number"]),
    ("tolist(this.getListAttribute", ["set", "string"]),
    ("getListAttribute", ["list", "string"]),
]


def collected(collection, storage):
    """`list` of `stringList` is a list of strings. None for the name of a class."""
    match = re.fullmatch(r"(string|number|boolean|any)(List|Map|Set)?", storage)
    if not match:
        return None
    if not match[2]:
        return SCALARS[match[1]]
    return [
        "map" if match[2] == "Map" else "set" if collection == "set" else "list",
        SCALARS[match[1]],
    ]


def entries(code):
    return {
        name: (is_block == "true", collection, storage)
        for name, is_block, collection, storage in ENTRY.findall(code)
    }


class Bindings:
    """The one file of a resource, a data source or the provider."""

    ROOTS = ("TerraformResource", "TerraformDataSource", "TerraformProvider")

    def __init__(self, code):
        self.classes = {
            name: (base, body)
            for name, base, body in re.findall(
                r"^class (\w+) extends cdktn\.(\w+) \{(.*?)^\}", code, re.M | re.S
            )
        }
        self.structs = {
            name.lower(): entries(body)
            for name, body in re.findall(
                r"^function (\w+?)ToHclTerraform\((.*?)^\}", code, re.M | re.S
            )
        }
        self.type = re.search(r'static tfResourceType = "(\w+)"', code)[1]
        self.provider_version = (re.search(r"providerVersion: '([\d.]+)'", code) or [None, None])[1]
        self.root = next(name for name, (base, _) in self.classes.items() if base in self.ROOTS)

    def schema(self):
        return {"version": 0, "block": self.block(self.root)}

    def block(self, name):
        base, body = self.classes[name]
        if base in self.ROOTS:
            handed = entries(body.split("synthesizeHclAttributes()")[-1])
        else:
            handed = self.structs.get(name.removesuffix("OutputReference").lower(), {})
        block: dict[str, dict] = {"attributes": {}, "block_types": {}}
        pieces = PROPERTY.split(body)
        for prop, *said, code in zip(*[iter(pieces[1:])] * 5):
            flags = {
                flag: True
                for flag, word in zip(("computed", "optional", "required"), said)
                if word == "true"
            }
            nested = re.search(
                rf'new (\w+?)(OutputReference|List|Map)\(this, "{prop}"(?:, (true|false))?\)', code
            )
            if nested and f"{nested[1]}OutputReference" in self.classes:
                self.add_nested(block, prop, flags, nested, handed.get(prop))
            elif prop in handed and handed[prop][0]:
                block["block_types"][prop] = self.plain_block(handed[prop])
            else:
                _, collection, storage = handed.get(prop, (False, None, ""))
                of_getter = next((of for getter, of in GETTERS if getter in code), "string")
                block["attributes"][prop] = {
                    "type": collected(collection, storage) or of_getter,
                    **flags,
                }
        return block

    def add_nested(self, block, prop, flags, nested, handed):
        """A property with a class of its own: a block where Terraform is handed one, else a
        computed list of objects.
        """
        inner = self.block(f"{nested[1]}OutputReference")
        is_set = nested[3] == "true" or (handed is not None and handed[1] == "set")
        if handed is None or not handed[0]:
            fields = {name: attribute["type"] for name, attribute in inner["attributes"].items()}
            block["attributes"][prop] = {
                "type": ["set" if is_set else "list", ["object", fields]],
                **flags,
            }
            return
        if handed[1] == "struct":
            block["block_types"][prop] = {"nesting_mode": "single", "block": inner}
            return
        kind = {"nesting_mode": "set" if is_set else "list", "block": inner}
        if "required" in flags:
            kind["min_items"] = 1
        # What may come more than once has a class for the list; what may not is its own.
        if nested[2] != "List":
            kind["max_items"] = 1
        block["block_types"][prop] = kind

    def plain_block(self, handed):
        """The provider's own blocks have no classes, only what is handed to Terraform."""
        _, collection, storage = handed
        struct = self.structs.get(storage.removesuffix("List").lower(), {})
        attributes = {
            name: {"type": collected(of, inner) or "string", "optional": True}
            for name, (_, of, inner) in struct.items()
        }
        return {
            "nesting_mode": "set" if collection == "set" else "list",
            "block": {"attributes": attributes, "block_types": {}},
        }


def folder(kind):
    """data.aws_iam_role → data-aws-iam-role, aws_iam_role → iam-role: where the bindings keep
    it.
    """
    if kind == "provider":
        return kind
    return (
        kind.replace("data.", "data_").replace("_", "-")
        if kind.startswith("data.")
        else kind.removeprefix("aws_").replace("_", "-")
    )


def extract(wheel, kinds):
    result: dict[str, Any] = {
        "provider_version": None,
        "provider": None,
        "resource_schemas": {},
        "data_source_schemas": {},
    }
    wanted = {f"package/lib/{folder(kind)}/index.js": kind for kind in ["provider", *kinds]}
    with zipfile.ZipFile(wheel) as package:
        inner = next(name for name in package.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(package.read(inner))) as archive:
            for member in archive:
                kind = wanted.pop(member.name, None)
                if not kind:
                    continue
                bindings = Bindings(archive.extractfile(member).read().decode())
                if kind == "provider":
                    result["provider"], result["provider_version"] = (
                        bindings.schema(),
                        bindings.provider_version,
                    )
                elif kind.startswith("data."):
                    result["data_source_schemas"][kind.removeprefix("data.")] = bindings.schema()
                else:
                    result["resource_schemas"][bindings.type] = bindings.schema()
    if wanted:
        sys.exit(
            f"{wheel} holds no {', '.join(sorted(wanted.values()))}: is the name right, "
            f"and does the provider have it?"
        )
    return result


if __name__ == "__main__":
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(extract(sys.argv[1], sys.argv[3:]), file, indent=1, sort_keys=True)
