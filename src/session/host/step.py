"""Owns a step: a child of the host, from its fork to its end. Only here is there ever a secret."""

import gc
import os
import signal
import traceback


def run_step(script, arguments, descriptors, null, imported, memory):
    """Becomes the step. Never returns."""
    code = 1
    try:
        stdout, stderr, payload, status = descriptors
        os.setsid()
        for number, descriptor in enumerate((null, stdout, stderr)):
            os.dup2(descriptor, number)
        os.close(stdout)
        os.close(stderr)
        # From here on signals to the group find it.
        os.write(status, b"+")
        environment = unpack(read_all(payload))
        os.close(payload)
        if environment is None:
            # The runner is gone or has thought better of it.
            os._exit(0)
        enter(environment)
        for number, output in enumerate(imported, 1):
            write_all(number, output)
        forget_warnings()
        forget_deprecations()
        forget_surroundings()
        if memory is not None and memory.is_there:
            hand_over(memory)
            # What is there now is never garbage either.
            gc.freeze()
        gc.enable()
        code = exit_code(invoke, script, arguments)
    except KeyboardInterrupt:
        # As Python itself ends then.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
    finally:
        flush()
        # Should the host be gone, nobody else can tell.
        os.write(status, bytes([code]))
        os._exit(code)
