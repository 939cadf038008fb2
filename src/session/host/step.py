"""Owns a step: a child of the host, from its fork to its end. Only here is there ever a secret."""

from __future__ import annotations

import gc
import os
import signal
import traceback
from typing import NoReturn

from . import command, nodes, wire


def run(
    script: command.Script,
    arguments: list[str],
    descriptors: list[int],
    null: int,
    imported: list[bytes],
) -> NoReturn:
    """Becomes the step. `imported`: what the host has said while it imported dbt."""
    code = 1
    try:
        stdout, stderr, payload, status, told = descriptors
        os.setsid()
        for number, descriptor in enumerate((null, stdout, stderr)):
            os.dup2(descriptor, number)
        os.close(stdout)
        os.close(stderr)
        # From here on signals to the group find it.
        os.write(status, b"+")
        surroundings = wire.unpack(wire.read_all(payload))
        os.close(payload)
        if surroundings is None:
            # The runner is gone or has thought better of it.
            os._exit(0)
        command.enter(surroundings)
        for number, output in enumerate(imported, 1):
            wire.write_all(number, output)
        command.forget_warnings()
        nodes.tell(told)
        gc.enable()
        code = command.exit_code(lambda: script.run(arguments), script.path)
    except KeyboardInterrupt:
        # As Python itself ends then.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            # Should the host be gone, nobody else can tell.
            os.write(status, bytes([code]))
            wire.flush()
        finally:
            os._exit(code)
