"""Owns the code by which nodes are written: made in the host, and not in each step.

dbt's classes get it when the first of each kind is written, which each step does. So one of each
kind that most projects have is written to nowhere. The nodes are made up: nothing here has ever
seen a project.
"""

from __future__ import annotations

from typing import Any

from .. import seams

PLACE = {
    "name": "it",
    "package_name": "it",
    "path": "it",
    "original_file_path": "it",
    "unique_id": "it",
}
RELATION = {**PLACE, "database": "it", "schema": "it", "fqn": ["it"]}
NODE = {
    **RELATION,
    "alias": "it",
    "checksum": {"name": "none", "checksum": ""},
    "columns": {"it": {"name": "it"}},
}
# By attribute of the manifest: the class, and what one of its objects needs at least.
KINDS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "nodes": [
        ("ModelNode", {**NODE, "resource_type": "model"}),
        ("SeedNode", {**NODE, "resource_type": "seed"}),
        ("GenericTestNode", {**NODE, "resource_type": "test", "test_metadata": {"name": "it"}}),
        ("SingularTestNode", {**NODE, "resource_type": "test"}),
    ],
    "sources": [
        (
            "SourceDefinition",
            {
                **RELATION,
                "resource_type": "source",
                "source_name": "it",
                "source_description": "",
                "loader": "",
                "identifier": "it",
                "columns": {"it": {"name": "it"}},
            },
        )
    ],
    "macros": [("Macro", {**PLACE, "resource_type": "macro", "macro_sql": ""})],
    "docs": [("Documentation", {**PLACE, "resource_type": "doc", "block_contents": ""})],
}


class Serializers:
    name, since = "the ready-made serializers", (1, 8)

    def install(self) -> None:
        self.manifest = seams.fetch("dbt.contracts.graph.manifest", "Manifest")
        seams.fetch("dbt.contracts.graph.manifest", "Manifest.writable_manifest", ("self",))
        self.make = {
            name: seams.fetch("dbt.contracts.graph.nodes", f"{name}.from_dict", ("fields",))
            for samples in KINDS.values()
            for name, _ in samples
        }

    def run(self) -> None:
        """Needs dbt's flags, which the warming up has set."""
        made = {
            kind: {f"it.{number}": self.make[name](it) for number, (name, it) in enumerate(samples)}
            for kind, samples in KINDS.items()
        }
        writable = self.manifest(**made).writable_manifest()
        writable.to_dict(omit_none=False, context={"artifact": True})

    def remove(self) -> None:
        """There is nothing to put back: dbt makes the same code, only later."""
