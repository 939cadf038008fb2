"""Owns which layers are switched on, and the words about those that are not.

A layer that is missing what it needs, or that fails in any other way, takes nobody else with it.
"""

from __future__ import annotations

from typing import Callable, Optional

from .manifest import SharedManifest
from .restored import RestoredParse
from .seams import Layer, Missing
from .shortcuts.json_writer import JsonWriter
from .shortcuts.serializers import Serializers
from .shortcuts.warm_up import WarmUp


class Layers:
    def __init__(self) -> None:
        self.restored, self.warm_up, self.serializers = RestoredParse(), WarmUp(), Serializers()
        self.all: list[Layer] = [
            SharedManifest(),
            self.restored,
            self.warm_up,
            self.serializers,
            JsonWriter(),
        ]
        self.on: list[Layer] = []
        #: One sentence for each layer that should be there and is not.
        self.left_out: list[str] = []

    def switch_on(self, version: tuple[int, int], newest: tuple[int, int]) -> None:
        """`version`: dbt-core's; `newest`: the newest that the layers were tested with."""
        if version > newest:
            known = ".".join(map(str, newest))
            self.left_out.append(
                f"that shares the import alone, since {known} is the newest dbt-core tested"
            )
            return
        for layer in self.all:
            if version >= layer.since:
                self.attempt(layer, layer.install)

    def attempt(self, layer: Layer, action: Callable[[], None]) -> None:
        """On with that layer if it succeeds, and without it if not."""
        try:
            action()
        except Exception as error:
            why = str(error) if isinstance(error, Missing) else words(error)
            self.leave_out(layer, why)
        else:
            if layer not in self.on:
                self.on.append(layer)

    def leave_out(self, layer: Layer, why: str) -> None:
        try:
            layer.remove()
        except Exception as error:
            why = f"{why}; and it cannot be undone ({words(error)})"
        self.left_out.append(f"without {layer.name}, since {why}")

    def is_on(self, layer: Layer) -> bool:
        return layer in self.on


def words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def parsed(version: object) -> Optional[tuple[int, int]]:
    """Major and minor of a version."""
    try:
        major, minor = str(version).split(".")[:2]
        return int(major), int(minor)
    except ValueError:
        return None
