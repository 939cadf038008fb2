"""Owns how dbt writes artifacts: as one text that is encoded in C, and not piece by piece.

`json.dump` is the slow way of Python's own library to the text that `json.dumps` gives.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from .. import seams


class JsonWriter:
    name, since = "the faster writing of artifacts", (1, 8)

    def __init__(self) -> None:
        self.replaced = seams.Replaced()

    def install(self) -> None:
        system = seams.fetch("dbt_common.clients.system", "json")
        if system is not json:
            raise seams.Missing("dbt_common.clients.system.json is not Python's")
        self.replaced.put(sys.modules["dbt_common.clients.system"], "json", Json())

    def remove(self) -> None:
        self.replaced.undo()


class Json:
    """The module `json`, with another `dump`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(json, name)

    @staticmethod
    def dump(data: Any, file: Any, **options: Any) -> None:
        try:
            text = json.dumps(data, **options)
        except Exception:
            # It writes as far as it comes, and says what is wrong.
            json.dump(data, file, **options)
            return
        file.write(text)
