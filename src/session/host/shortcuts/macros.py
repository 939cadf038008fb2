"""Owns the parsing of macros: once for each of them.

Jinja parses each macro twice, to find its name and to find whom it calls. There are hundreds in
dbt and its adapters, so that this is most of what parsing a small project costs.
"""

from __future__ import annotations

import re
from typing import Any

from .. import seams

MACRO = re.compile(r"\s*\{%-?\s*(macro|materialization|test|data_test)\b")


class Macros:
    name, since = "the macros that are parsed once", (1, 8)

    def __init__(self) -> None:
        self.replaced = seams.Replaced()

    def install(self) -> None:
        place = "dbt_common.clients.jinja"
        environment = seams.fetch(place, "MacroFuzzEnvironment")
        usual = seams.fetch(place, "MacroFuzzEnvironment.parse", ("self", "source"))
        kept: dict[tuple[type, str], Any] = {}

        def parse(self: Any, source: Any, *rest: Any, **options: Any) -> Any:
            # Nothing else is parsed twice, and would only be kept.
            if rest or options or not isinstance(source, str) or not MACRO.match(source):
                return usual(self, source, *rest, **options)
            # Given away, so that it goes when nobody needs it any more. Both only look at it.
            tree = kept.pop((type(self), source), None)
            if tree is None:
                tree = kept[type(self), source] = usual(self, source)
            return tree

        self.replaced.put(environment, "parse", parse)

    def remove(self) -> None:
        self.replaced.undo()
