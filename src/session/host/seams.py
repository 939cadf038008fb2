"""Owns the reaching for what dbt does not promise to keep, and the putting of our own in its place.

Every symbol is fetched once, at the start, with what it is called with; one that is not there or
takes something else is `Missing`, and whoever needs it is left out.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any, Protocol


class Missing(Exception):  # noqa: N818
    """Names the symbol, and what is wrong with it."""


def words(error: BaseException) -> str:
    """What went wrong, in a line of the log."""
    is_ours = isinstance(error, Missing)
    return str(error) if is_ours else f"{type(error).__name__}: {error}".splitlines()[0]


class Layer(Protocol):
    """What is built on seams, and can be left out."""

    #: What it is called in the log.
    name: str
    #: The first dbt-core that has what it is about; one may have an `until`, the last.
    since: tuple[int, int]

    def install(self) -> None:
        """Fetches all that it needs, or is `Missing`; only then changes anything."""

    def remove(self) -> None:
        """Puts back what was there."""


def fetch(module: str, path: str, takes: tuple[str, ...] | None = None) -> Any:
    """The symbol at that path of a module. `takes`: the arguments that it is called with."""
    name = f"{module}.{path}"
    found: Any
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise Missing(f"{module} cannot be imported ({error})") from error
    for part in path.split("."):
        found = getattr(found, part, None)
        if found is None:
            raise Missing(f"{name} is not there")
    if takes is not None:
        try:
            inspect.signature(found).bind(*takes)
        except ValueError:
            # What is written in C may not say what it takes.
            pass
        except TypeError as error:
            raise Missing(f"{name} does not take {', '.join(takes)} ({error})") from error
    return found


_NOTHING = object()


class Replaced:
    """Attributes that hold something of ours, until they are put back."""

    def __init__(self) -> None:
        self.before: list[tuple[Any, str, Any]] = []

    def put(self, owner: Any, name: str, value: Any) -> None:
        # As it stands there: what is inherited, or a class method, is not what `getattr` gives.
        self.before.append((owner, name, vars(owner).get(name, _NOTHING)))
        setattr(owner, name, value)

    def undo(self) -> None:
        while self.before:
            owner, name, value = self.before.pop()
            if value is _NOTHING:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
