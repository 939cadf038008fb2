"""Owns the compiling of short templates: once for the same text.

Jinja compiles what calls a test, or refers to a description, for each of its many places anew.
"""

from __future__ import annotations

from typing import Any

from .. import seams

# Templates up to this length, in characters, and as many of them, are kept compiled: those of
# models are long, and all different.
SHORT, MANY = 300, 1000


class Templates:
    name, since = "the templates that are compiled once", (1, 8)

    def __init__(self) -> None:
        self.replaced = seams.Replaced()

    def install(self) -> None:
        place = "dbt_common.clients.jinja"
        environment = seams.fetch(place, "MacroFuzzEnvironment")
        usual = seams.fetch(place, "MacroFuzzEnvironment.compile", ("self", "source"))
        internal = seams.fetch("jinja2.utils", "internalcode", ("function",))
        # Whoever debugs macros wants to see each of them compiled.
        if seams.fetch(place, "MACRO_DEBUGGING"):
            return
        kept: dict[tuple[type, str], Any] = {}

        def compile(self: Any, source: Any, *rest: Any, **options: Any) -> Any:
            if rest or options or not isinstance(source, str) or len(source) > SHORT:
                return usual(self, source, *rest, **options)
            code = kept.get((type(self), source))
            if code is None:
                code = usual(self, source)
                if len(kept) < MANY:
                    kept[type(self), source] = code
            return code

        # As the method itself: no frame of what a template did wrong.
        self.replaced.put(environment, "compile", internal(compile))

    def remove(self) -> None:
        self.replaced.undo()
