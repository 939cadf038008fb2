"""Owns which layers are switched on, and the words about those that are not.

A layer that is missing what it needs, or that fails in any other way, takes nobody else with it.
"""

from __future__ import annotations

from typing import Callable

from . import versions
from .manifest import SharedManifest
from .restored import RestoredParse
from .seams import Layer, words
from .shortcuts.class_code import ClassCode
from .shortcuts.locks import Locks
from .shortcuts.macros import Macros
from .shortcuts.messages import Messages
from .shortcuts.namespaces import Namespaces
from .shortcuts.templates import Templates
from .shortcuts.warm_up import WarmUp
from .versions import Minor


class Layers:
    def __init__(self) -> None:
        self.restored, self.warm_up = RestoredParse(), WarmUp()
        #: What has to be in its place when dbt makes its classes.
        self.before: list[Layer] = [Locks()]
        self.after: list[Layer] = [
            SharedManifest(),
            self.restored,
            self.warm_up,
            ClassCode(),
            Macros(),
            Messages(),
            Namespaces(),
            Templates(),
        ]
        self.on: list[Layer] = []
        #: One sentence for each layer that should be there and is not.
        self.left_out: list[str] = []

    def choose(self, full: str, version: Minor) -> None:
        """Leaves all of them where dbt-core is not one that was tested. `full`: its version."""
        why = versions.why_untested(full, version)
        if why:
            self.left_out.append(f"without shortcuts, since {why}")
        for layers in (self.before, self.after):
            layers[:] = [layer for layer in layers if not why and is_about(layer, version)]

    def before_import(self) -> None:
        for layer in self.before:
            self.attempt(layer, layer.install)

    def after_import(self) -> None:
        for layer in self.after:
            self.attempt(layer, layer.install)

    def attempt(self, layer: Layer, action: Callable[[], None]) -> None:
        """On with that layer if it succeeds, and without it if not."""
        try:
            action()
        except Exception as error:
            self.leave_out(layer, words(error))
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


def is_about(layer: Layer, version: Minor) -> bool:
    return layer.since <= version <= getattr(layer, "until", version)
