"""Owns the warming up: dbt begins a command in the host, and stops before it reads a manifest.

What it has made by then, such as the code of its own classes, no step makes again. Steps tell what
goes wrong, so nothing is said here, and nothing of it is left behind.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from collections.abc import Iterator
from typing import Any

from .. import command, seams


class Enough(BaseException):
    """Ends dbt's invocation in the host."""


class WarmUp:
    name, since = "the warming up", (1, 8)

    def __init__(self) -> None:
        self.replaced = seams.Replaced()

    def install(self) -> None:
        self.loader = seams.fetch("dbt.parser.manifest", "ManifestLoader")
        seams.fetch("dbt.parser.manifest", "ManifestLoader.get_full_manifest", ("config",))
        seams.fetch("dbt.cli.requires", "set_up_plugin_manager", ("project_name",))
        self.requires = sys.modules["dbt.cli.requires"]
        self.counted = [
            seams.fetch("dbt.deprecations", "active_deprecations.clear", ()),
            seams.fetch("dbt.deprecations", "buffered_deprecations.clear", ()),
            seams.fetch("dbt_common.events.functions", "reset_metadata_vars", ()),
        ]

    def remove(self) -> None:
        self.replaced.undo()

    def run(self, script: command.Script) -> None:
        def enough(*_: Any, **__: Any) -> None:
            raise Enough

        self.replaced.put(self.loader, "get_full_manifest", classmethod(enough))
        # What a plugin does and says when it is imported, it does and says in each step.
        self.replaced.put(self.requires, "set_up_plugin_manager", lambda *_, **__: None)
        try:
            with quiet(), contextlib.suppress(BaseException):
                script.run(["parse"])
        finally:
            self.replaced.undo()
            for forget in self.counted:
                forget()
        know_files()


def know_files() -> None:
    """dbt asks for its stack. Python then learns which module is in which file; looks through all
    of them for the files of our own frames, and finds none. Once here, for all steps.
    """
    inspect.stack()
    known: dict[str, str] = getattr(inspect, "modulesbyfile", {})
    for name in ("<string>", "<dbt-entrypoint: bootstrap>"):
        known.setdefault(name, "")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing is logged twice and nobody is told of a run that is none."""
    settings = {
        "LOG_LEVEL": "none",
        "LOG_LEVEL_FILE": "none",
        # The working directory is there already: no place for a log is made that nobody asked for.
        "LOG_PATH": os.curdir,
        "SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    kept = dict(os.environ)
    os.environ.update(
        {f"{prefix}{name}": v for name, v in settings.items() for prefix in ("DBT_", "DBT_ENGINE_")}
    )
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
