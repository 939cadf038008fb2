"""Owns a saved parse from another container, and its way to dbt.

It is put where dbt looks for its own, once dbt is about to read there and nothing is there yet: by
then its packages are installed.
What of the parse still holds is for dbt to say.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import sys
from typing import Any

from . import seams
from .compared import first_difference

FILE = "partial_parse.msgpack"


class RestoredParse:
    name, since = "the parse cache", (1, 5)

    def __init__(self) -> None:
        self.replaced = seams.Replaced()
        #: The file with the parse, for the step that this process is.
        self.offered: str | None = None

    def install(self) -> None:
        loader = seams.fetch("dbt.parser.manifest", "ManifestLoader")
        usual = seams.fetch(
            "dbt.parser.manifest", "ManifestLoader.read_manifest_for_partial_parse", ("self",)
        )
        get_flags = seams.fetch("dbt.flags", "get_flags", ())

        def read(loader: Any) -> Any:
            # If it does not come to that, dbt parses as it does without.
            with contextlib.suppress(Exception):
                self.put_down(loader, get_flags())
            return usual(loader)

        self.replaced.put(loader, "read_manifest_for_partial_parse", read)

    def remove(self) -> None:
        self.replaced.undo()

    def put_down(self, loader: Any, flags: Any) -> None:
        offered, self.offered = self.offered, None
        if offered is None or not flags.PARTIAL_PARSE:
            return
        target = os.path.abspath(loader.root_project.project_target_path)
        path = os.path.join(target, FILE)
        if os.path.lexists(path) or getattr(flags, "PARTIAL_PARSE_FILE_PATH", None):
            return
        roots = {name: p.project_root for name, p in loader.all_projects.items()}
        content = as_here(offered, roots)
        if content is None:
            return
        os.makedirs(target, exist_ok=True)
        beside = f"{path}.{os.getpid()}"
        try:
            with open(beside, "wb") as file:
                file.write(content)
            # By its time the runner tells it from one that dbt has written.
            time = os.stat(offered).st_mtime_ns
            os.utime(beside, ns=(time, time))
            os.rename(beside, path)
        finally:
            if os.path.lexists(beside):
                os.unlink(beside)


def as_here(offered: str, roots: dict[str, str]) -> bytes | None:
    """What stands in a saved parse, put right for these files. Says why where it is not of them."""
    # dbt has imported it.
    msgpack = importlib.import_module("msgpack")
    try:
        with open(offered, "rb") as file:
            parse = msgpack.unpackb(file.read(), strict_map_key=False)
        difference = first_difference(parse, roots)
        if difference is None:
            settle(parse, roots)
            return bytes(msgpack.packb(parse))
    except Exception as error:
        # Whatever it holds in the place of a parse.
        difference = f"it cannot be read ({type(error).__name__})"
    said = f"the saved parse is left alone, since it is not of these files: {difference}"
    print(said, file=sys.stderr, flush=True)
    return None


def settle(parse: dict[str, Any], roots: dict[str, str]) -> None:
    """A parse from another container: its projects lay elsewhere, and times prove nothing.

    YAML files with the same content get their present times, so that dbt need not parse them
    again; others get none, so that it does.
    """
    for file in parse["files"].values():
        path, root = file["path"], roots.get(file["project_name"])
        # A package that is gone is for dbt to find; what comes from no file has no root.
        if root is None or "project_root" not in path:
            continue
        path["project_root"], path["modification_time"] = root, 0.0
        place = os.path.join(root, path["searched_path"], path["relative_path"])
        if file["parse_file_type"] == "schema" and os.path.isfile(place):
            with open(place, encoding="utf-8") as content:
                digest = hashlib.sha256(content.read().strip().encode()).hexdigest()
            if file["checksum"] == {"name": "sha256", "checksum": digest}:
                path["modification_time"] = os.path.getmtime(place)
    for node in parse["nodes"].values():
        # Seeds alone have one.
        if node.get("root_path") and node["package_name"] in roots:
            node["root_path"] = roots[node["package_name"]]
