"""Owns the running of dbt's command in this process, as its script does it."""

import importlib
import os
import sys
import traceback
import warnings


def invoke(script, arguments):
    """What the script `dbt` does, as the main module, whose file others may ask for."""
    sys.argv = [script, *arguments]
    sys.modules["__main__"].__file__ = script
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


def forget_warnings():
    """What Python has said once in the process that this one was forked from, it says again."""
    with warnings.catch_warnings():
        pass
    warnings.onceregistry.clear()


def try_import(name):
    """`None` for what is missing, or is in another place in this version."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
