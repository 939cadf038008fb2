"""Owns dbt, imported once, and the life of the host: a request of the runner is a fork.

Started by the runner, with a socket as stdin; ends when the runner closes it. This process never
sees a secret: the environment of a step is read by its child alone. Of dbt it knows the command
and the version.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
from typing import Any

from . import command, step, versions, wire
from .layers import Layers
from .script import does_more
from .seams import words

# What dbt imports only once a step runs, and so in each step again. One that is not there, in
# another version, is imported by nobody.
IMPORTED_LATE = (
    "dbt.graph.thread_pool",
    "dbt.task.debug",
    "dbt.task.deps",
    "dbt.task.docs.generate",
    "dbt.task.freshness",
    "dbt.task.run",
    "dbt.task.test",
    "dbt_common.clients.agate_helper",
)


class Unable(Exception):  # noqa: N818
    """Why there can be no session here."""


class Broken(Exception):  # noqa: N818
    """Why there is none, though there should be."""


def main() -> None:
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    try:
        Host(control, null).serve()
    except Unable as error:
        wire.send(control, unable=str(error))
    except Broken as error:
        wire.send(control, broken=str(error))
    command.wind_up()
    os._exit(0)


class Host:
    def __init__(self, control: socket.socket, null: int) -> None:
        self.control, self.null = control, null
        self.capture, self.layers = wire.Capture(), Layers()
        self.imported = [b"", b""]

    def serve(self) -> None:
        installation = self.receive()
        if installation is None:
            return
        # Garbage is rare while modules are loaded, and looking for it costs a tenth of the time.
        gc.disable()
        script, imported = self.import_dbt(installation)
        self.imported = self.capture.end()
        wire.send(
            self.control,
            ready={
                **imported,
                "left_out": self.layers.left_out,
                "restores": self.layers.is_on(self.layers.restored),
            },
        )
        # For warming up, without secrets.
        surroundings = wire.unpack(wire.receive(self.control)[0] or b"")
        is_warm = False
        while True:
            content, descriptors = wire.receive(self.control)
            if content is None:
                return
            request = json.loads(content)
            # An adapter that only dbt can tell would be imported on the way, where nobody hears
            # what it says.
            if not is_warm and surroundings and installation["adapter"]:
                self.warm_up(script, surroundings)
                is_warm = True
            self.fork(script, request, descriptors)

    def receive(self) -> dict[str, Any] | None:
        content, _ = wire.receive(self.control)
        return None if content is None else json.loads(content)

    def import_dbt(self, installation: dict[str, Any]) -> tuple[command.Script, dict[str, Any]]:
        """Imports dbt and the adapter of the project; gives back their versions."""
        try:
            path = installation["script"]
            with open(path, "rb") as file:
                source = file.read()
            more = does_more(source)
            if more:
                raise Unable(f"{path} is not the script that comes with dbt-core ({more})")
            script = command.Script(path, source)
            full = importlib.import_module("dbt.version").__version__
            version = versions.minor_of(full)
            if version is None:
                raise Broken(f"dbt cannot be imported (its version is {full!r})")
            too_old = versions.why_too_old(full, version)
            if too_old:
                raise Unable(too_old)
            self.layers.choose(full, version)
            self.layers.before_import()
            importlib.import_module("dbt.cli.main")
            for name in IMPORTED_LATE:
                try_import(name)
            adapter = installation["adapter"]
            # One that is not installed, a step says in dbt's own words.
            found = adapter and try_import(f"dbt.adapters.{adapter}")
            said = found and try_import(f"dbt.adapters.{adapter}.__version__")
            self.layers.after_import()
        except (Unable, Broken):
            raise
        except BaseException as error:  # whatever an installation does when it is imported
            raise Broken(f"dbt cannot be imported ({words(error)})") from error
        return script, {"dbt": full, "adapter": getattr(said, "version", None)}

    def warm_up(self, script: command.Script, surroundings: wire.Surroundings) -> None:
        if not self.layers.is_on(self.layers.warm_up):
            return
        # What is there now is never garbage, and looking through it would cost time.
        gc.freeze()
        # Each step says it itself.
        self.capture.begin()
        try:
            command.enter(surroundings)
            self.layers.warm_up.run(script)
        except Exception:  # noqa: S110
            # A step tells what is wrong, and does what was not done here.
            pass
        self.capture.end()

    def fork(self, script: command.Script, request: dict[str, Any], descriptors: list[int]) -> None:
        gc.collect()
        # In a child it would copy the pages, too.
        gc.freeze()
        wire.flush()
        try:
            child = os.fork()
        except (OSError, MemoryError) as error:
            raise Broken(f"no child can be made: {words(error)}") from error
        if child == 0:
            self.control.close()
            self.layers.restored.offered = request["restored"]
            step.run(script, request["arguments"], descriptors, self.null, self.imported)
        for descriptor in descriptors:
            os.close(descriptor)
        wire.send(self.control, started=child)
        try:
            _, status = os.waitpid(child, 0)
        except KeyboardInterrupt:
            # From the kernel, since the runner was killed and can no longer stop the step. It may
            # say so once for each thread of the runner.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.killpg(child, signal.SIGINT)
            raise
        if os.WIFSIGNALED(status):
            wire.send(self.control, signal=os.WTERMSIG(status))
        else:
            wire.send(self.control, code=os.WEXITSTATUS(status))


def try_import(name: str) -> Any:
    """`None` for what is missing, or is in another place in this version."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
