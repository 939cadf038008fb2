"""Owns a step: a child of the host, from its fork to its end. Only here is there ever a secret."""

import gc
import importlib
import os
import signal
import sys
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
        forget_deprecations()
        if memory is not None and memory.manifest is not None:
            hand_over(memory)
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


def invoke(script, arguments):
    """What the script `dbt` does."""
    sys.argv = [script, *arguments]
    sys.exit(importlib.import_module("dbt.cli.main").cli())


def exit_code(function, *arguments):
    """Runs to the end; gives back what the process should exit with."""
    code = 0
    try:
        function(*arguments)
    except SystemExit as end:
        if isinstance(end.code, int):
            code = end.code & 0xFF
        elif end.code is not None:
            print(end.code, file=sys.stderr)
            code = 1
    except KeyboardInterrupt:
        raise
    except BaseException:
        traceback.print_exc()
        code = 1
    wind_up()
    return code


def wind_up():
    """What an interpreter does at its end, but the clearing away of memory that is gone anyway."""
    importlib.import_module("threading")._shutdown()
    importlib.import_module("atexit")._run_exitfuncs()
    flush()


def enter(environment):
    """Makes a directory and variables those of this process."""
    directory, variables = environment
    os.environ.clear()
    os.environb.update(variables)
    os.chdir(directory)
