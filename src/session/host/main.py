"""Owns dbt, imported once, and forks a child for every step.

Started by the runner, with a socket as stdin; ends when the runner closes it. This process never
sees a secret: what it gets for parsing has placeholders in their place, and the real environment is
read by the child of a step alone. All files of this directory are one program, of which this is the
last part.
"""

import gc
import importlib
import json
import os
import socket
import stat

OLDEST = (1, 5)
# What stands in the place of a file for code that comes from none: Python's, dbt's, and ours.
NO_FILES = ("<string>", "<template>", "dbt-entrypoint")
# What dbt imports only once a step runs, and so in each step again.
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


class TooOld(Exception):
    """A dbt-core whose command cannot be called as a function."""


class Capture:
    """What this process writes to stdout and stderr, to be repeated by the children: each dbt of
    its own would have written it.
    """

    def __init__(self):
        # The runner gives files, so that nothing is lost that the interpreter says as it starts.
        self.files = [
            os.dup(number) if stat.S_ISREG(os.fstat(number).st_mode) else temporary_file()
            for number in (1, 2)
        ]

    def begin(self):
        for number, file in enumerate(self.files, 1):
            os.ftruncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)
            os.dup2(file, number)

    def end(self):
        flush()
        return [os.pread(file, os.fstat(file).st_size, 0) for file in self.files]


def main():
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    capture, memory = Capture(), Memory()
    # Garbage is rare while modules are loaded, and looking for it costs a tenth of the time.
    gc.disable()
    installation = json.loads(receive(control)[0])
    script = installation["script"]
    with open(script, "rb") as file:
        more = does_more(file.read())
    if more:
        send(control, unable=f"{script} is not the script that comes with dbt-core ({more})")
        return
    try:
        versions = import_dbt(installation["adapter"], installation["newest"])
    except TooOld as error:
        send(control, unable=str(error))
        return
    except BaseException as error:  # whatever an installation does when it is imported
        send(control, broken=f"dbt cannot be imported ({words(error)})")
        return
    imported = capture.end()
    send(control, ready=versions)
    # For parsing, without secrets.
    environment = unpack(receive(control)[0] or b"")
    is_known = versions["is_known"]
    is_warm = not is_known
    while True:
        request, descriptors = receive(control)
        if request is None:
            return
        step = json.loads(request)
        arguments = step["arguments"]
        shares = is_known and takes_manifest(arguments)
        # What is there now is never garbage, and looking through it would cost time here, and copy
        # its pages in a child.
        gc.freeze()
        # An adapter that only dbt can tell would be imported on the way, where nobody hears what it
        # says.
        if not is_warm and installation["adapter"]:
            # Each step says it itself.
            capture.begin()
            enter(environment)
            warm_up(script, arguments)
            capture.end()
            is_warm = True
        if shares and memory.key != parsing_key(arguments):
            capture.begin()
            enter(environment)
            parse(script, arguments, memory, step["restored"], [control.fileno(), *descriptors])
            memory.output = capture.end()
            rehearse(memory)
            give_back()
        if VOID_A_MANIFEST.intersection(arguments):
            memory.key = None
        gc.collect()
        gc.freeze()
        flush()
        try:
            child = os.fork()
        except (OSError, MemoryError) as error:
            send(control, unable=f"cannot fork a process: {words(error)}")
            return
        if child == 0:
            control.close()
            run_step(script, arguments, descriptors, null, imported, memory if shares else None)
        for descriptor in descriptors:
            os.close(descriptor)
        memory.is_said = memory.is_said or shares
        send(control, started=child)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            send(control, signal=os.WTERMSIG(status))
        else:
            send(control, code=os.WEXITSTATUS(status))


def import_dbt(adapter, newest):
    """Imports dbt and the adapter of the project; gives back their versions, the adapter's if there
    is one.

    `newest`: the last version whose inside is known. Of a later one nothing but its command is
    used.
    """
    version = importlib.import_module("dbt.version").__version__
    minor = tuple(int(part) for part in version.split(".")[:2])
    if minor < OLDEST:
        raise TooOld(f"dbt-core {version} is older than {OLDEST[0]}.{OLDEST[1]}")
    is_known = minor <= tuple(newest)
    if is_known:
        nameless_locks()
    importlib.import_module("dbt.cli.main")
    for name in IMPORTED_LATE:
        try_import(name)
    left_out = take_shortcuts() if is_known else []
    for name in NO_FILES:
        # Each time somebody asks for the stack, Python would look through all modules for the one
        # that these are from, and find none.
        getattr(try_import("inspect"), "modulesbyfile", {})[name] = ""
    # One that is not installed, a step says in dbt's own words.
    found = adapter and try_import(f"dbt.adapters.{adapter}")
    own = (
        getattr(try_import(f"dbt.adapters.{adapter}.__version__"), "version", None)
        if found
        else None
    )
    return {"dbt": version, "adapter": own, "is_known": is_known, "left_out": left_out}


def words(error):
    return f"{type(error).__name__}: {error}".splitlines()[0]


main()
wind_up()
os._exit(0)
