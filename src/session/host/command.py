"""Owns the running of dbt's command in this process, as Python runs the script `dbt`.

Never knows what the command does.
"""

from __future__ import annotations

import atexit
import importlib.machinery
import os
import sys
import threading
import traceback
import types
import warnings
from typing import Callable

from .wire import Surroundings, flush


class Script:
    """The script that an installer wrote, compiled once."""

    def __init__(self, path: str, source: bytes) -> None:
        self.path = path
        self.code = compile(source, path, "exec", dont_inherit=True)

    def run(self, arguments: list[str]) -> None:
        """Makes it the main module, with what the interpreter would have put there."""
        sys.argv = [self.path, *arguments]
        if hasattr(sys, "orig_argv"):
            sys.orig_argv = [sys.executable, *sys.argv]
        module = types.ModuleType("__main__")
        module.__file__ = self.path
        module.__loader__ = importlib.machinery.SourceFileLoader("__main__", self.path)
        sys.modules["__main__"] = module
        exec(self.code, vars(module))  # noqa: S102


def exit_code(function: Callable[[], None], path: str) -> int:
    """Runs to the end; gives back what the process should exit with.

    `path`: where a traceback begins that is not about us.
    """
    code = 0
    try:
        function()
    except SystemExit as end:
        if isinstance(end.code, int):
            code = end.code & 0xFF
        elif end.code is not None:
            print(end.code, file=sys.stderr)
            code = 1
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        place = error.__traceback__
        while place and place.tb_frame.f_code.co_filename != path:
            place = place.tb_next
        traceback.print_exception(type(error), error, place or error.__traceback__)
        code = 1
    wind_up()
    return code


def wind_up() -> None:
    """What an interpreter does at its end, but the clearing away of memory that is gone anyway."""
    for place, name in ((threading, "_shutdown"), (atexit, "_run_exitfuncs")):
        # A Python without them has another end; ours is better than none.
        getattr(place, name, lambda: None)()
    flush()


def enter(surroundings: Surroundings) -> None:
    """Makes a directory and variables those of this process."""
    directory, variables = surroundings
    os.environ.clear()
    os.environb.update(variables)
    os.chdir(directory)


def forget_warnings() -> None:
    """What Python has said once in the process that this was forked from, it says again."""
    with warnings.catch_warnings():
        pass
    getattr(warnings, "onceregistry", {}).clear()
