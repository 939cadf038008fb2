"""Owns the code that dbt's classes get for reading and writing themselves: made in the host.

Mashumaro writes it when a class is first asked, and so in each step anew. A blank object of each is
asked here, which says that it lacks something once the code is there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

from .. import seams

#: What nearly every project has. One that is called otherwise costs nothing but time.
COMMON = ("ModelNode", "GenericTestNode", "SourceDefinition", "Macro", "Documentation")


class ClassCode:
    name, since = "the code of dbt's classes", (1, 8)

    def install(self) -> None:
        manifest = seams.fetch("dbt.contracts.graph.manifest", "Manifest")
        written = seams.fetch("dbt.artifacts.schemas.manifest", "WritableManifest")
        nodes: dict[Any, None] = {}
        resources: dict[Any, None] = {}
        for kind in typing.get_type_hints(manifest).values():
            for node in data_classes(kind):
                if node.__name__ in COMMON:
                    collect(node, nodes)
                    collect(node.resource_class(), resources)
        for owner in [*nodes, *resources, written]:
            with contextlib.suppress(Exception):
                owner.__new__(owner).to_dict()
        for owner in resources:
            with contextlib.suppress(Exception):
                owner.from_dict({})

    def remove(self) -> None:
        """Nothing of ours is in the place of anything."""


def collect(owner: Any, known: dict[Any, None]) -> None:
    """A class, and those that its fields always hold: what may be missing mostly is."""
    if owner in known or not hasattr(owner, "from_dict"):
        return
    known[owner] = None
    for kind in typing.get_type_hints(owner).values():
        if typing.get_origin(kind) is not typing.Union:
            for inner in data_classes(kind):
                collect(inner, known)


def data_classes(kind: Any) -> Iterator[Any]:
    """Those that a type is made of."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        yield kind
    for argument in typing.get_args(kind):
        yield from data_classes(argument)
