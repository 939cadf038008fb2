"""Owns the locks that dbt makes: without names in the file system.

Only threads share them. But as dbt makes them, they could be handed to processes that have still to
be started: each has a name in the file system, and for each step Python starts one more
interpreter that removes the names should their owner be killed.
"""

from __future__ import annotations

import multiprocessing
import sys

from .. import seams


class Locks:
    name, since = "the nameless locks", (1, 8)

    def __init__(self) -> None:
        self.replaced = seams.Replaced()

    def install(self) -> None:
        context = seams.fetch("dbt.mp_context", "_MP_CONTEXT")
        seams.fetch("dbt.mp_context", "get_mp_context", ())
        if context is not multiprocessing.get_context("spawn"):
            raise seams.Missing("dbt.mp_context._MP_CONTEXT is not the one that spawns")
        place = sys.modules["dbt.mp_context"]
        self.replaced.put(place, "_MP_CONTEXT", multiprocessing.get_context("fork"))

    def remove(self) -> None:
        self.replaced.undo()
