"""Owns dbt, imported once, and forks a child for every step.

Started by the runner, with a socket as stdin; ends when the runner closes it. This process never sees a secret: what it gets for parsing
has placeholders in their place, and the real environment is read by the child of a step alone. All that it knows of dbt's inside are two
methods of the manifest loader. Where they are not as expected, each step parses for itself, as it does without this.
"""

import gc
import importlib
import json
import os
import signal
import socket
import sys
import traceback

OLDEST = (1, 5)
TAKE_A_MANIFEST = {"build", "clone", "compile", "docs generate", "list", "ls", "run", "run-operation", "seed", "show", "snapshot",
                   "source freshness", "test"}
# What dbt imports only once a step runs, and so in each step again.
IMPORTED_LATE = ("dbt.graph.thread_pool", "dbt.task.debug", "dbt.task.deps", "dbt.task.docs.generate", "dbt.task.freshness", "dbt.task.run",
                 "dbt.task.test", "dbt_common.clients.agate_helper")
# What of a command line decides how a project is parsed. All other differences dbt finds by itself.
DECIDE_PARSING = ("--vars", "--target", "-t", "--profile", "--profiles-dir", "--project-dir", "--target-path")


class Parsed(BaseException):
    """Ends dbt's invocation in the host as soon as there is a manifest."""


class Capture:
    """What this process writes to stdout and stderr, to be repeated by the children: each dbt of its own would have written it."""

    def __init__(self):
        self.files = [temporary_file(), temporary_file()]

    def begin(self):
        for number, file in enumerate(self.files, 1):
            os.ftruncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)
            os.dup2(file, number)

    def end(self):
        flush()
        return [os.pread(file, os.fstat(file).st_size, 0) for file in self.files]


class Memory:
    """The manifest of the last parsing, and what parsing had to say."""

    def __init__(self):
        self.forget()

    def forget(self):
        self.manifest, self.key, self.events, self.output, self.deprecations = None, None, [], [b"", b""], {}


def main():
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    capture, memory = Capture(), Memory()
    # Garbage is rare while modules and a project are loaded, and looking for it costs a tenth of the time.
    gc.disable()
    installation = json.loads(receive(control)[0])
    script = installation["script"]
    capture.begin()
    try:
        versions = import_dbt(installation["adapter"])
    except BaseException as error:  # whatever an installation does when it is imported
        send(control, unable=f"dbt cannot be imported ({words(error)})")
        return
    imported = capture.end()
    send(control, ready=versions)
    # For parsing, without secrets.
    environment = unpack(receive(control)[0] or b"")
    while True:
        request, descriptors = receive(control)
        if request is None:
            return
        step = json.loads(request)
        arguments = step["arguments"]
        shares = takes_manifest(arguments)
        if shares and memory.key != parsing_key(arguments):
            capture.begin()
            enter(environment)
            parse(script, arguments, memory, step["restored"])
            memory.output = capture.end()
        if arguments[0] == "deps":
            memory.key = None
        # What is there now is never garbage in a child, and looking through it would copy its pages.
        gc.freeze()
        flush()
        try:
            child = os.fork()
        except OSError as error:
            send(control, unable=f"no child can be made: {words(error)}")
            return
        if child == 0:
            control.close()
            run_step(script, arguments, descriptors, null, imported, memory if shares else None)
        for descriptor in descriptors:
            os.close(descriptor)
        if shares:
            memory.events, memory.output, memory.deprecations = [], [b"", b""], {}
        send(control, started=child)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            send(control, signal=os.WTERMSIG(status))
        else:
            send(control, code=os.WEXITSTATUS(status))


# ---- dbt --------------------------------------------------------------------------------------------------------------------------


def import_dbt(adapter):
    """Imports dbt and the adapter of the project; gives back their versions, the adapter's if there is one."""
    version = importlib.import_module("dbt.version").__version__
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise RuntimeError(f"dbt-core {version} is older than {OLDEST[0]}.{OLDEST[1]}")
    importlib.import_module("dbt.cli.main")
    for name in IMPORTED_LATE:
        try_import(name)
    if adapter and try_import(f"dbt.adapters.{adapter}"):
        return {"dbt": version, "adapter": getattr(try_import(f"dbt.adapters.{adapter}.__version__"), "version", None)}
    return {"dbt": version, "adapter": None}


def try_import(name):
    """What is missing is in another place in this version; or an adapter that is not installed, which a step says in dbt's own words."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def takes_manifest(arguments):
    words = [argument for argument in arguments[:2] if not argument.startswith("-")]
    return bool(words) and (words[0] in TAKE_A_MANIFEST or " ".join(words) in TAKE_A_MANIFEST)


def parsing_key(arguments):
    """The arguments that decide how the project is parsed."""
    key = []
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in DECIDE_PARSING:
            key.append((name, value if equals else "".join(arguments[place + 1:place + 2])))
    return sorted(key)


def parse(script, arguments, memory, restored):
    """Lets dbt begin the step, and stops it as soon as it has a manifest. Any failure is told by the step itself, which parses again."""
    memory.forget()
    memory.key = parsing_key(arguments)
    try:
        loader = importlib.import_module("dbt.parser.manifest").ManifestLoader
        whole, write, read = (loader.__dict__[name] for name in PATCHED)
    except (ImportError, AttributeError, KeyError):
        return
    events, before = [], {}

    def whole_and_no_more(cls, config, **options):
        if get_flags().PARTIAL_PARSE:
            listen(events.append)
            before.update(deprecations())
            memory.manifest = whole.__func__(cls, config, **options)
        raise Parsed

    def write_and_listen_no_more(self):
        write(self)
        # What dbt says from here on it says each time, and so will the steps.
        memory.events = list(events)
        memory.deprecations = {name: count - before.get(name, 0) for name, count in deprecations().items()}

    def read_elsewhere(self):
        manifest = read(self)
        if manifest is not None and restored:
            settle(manifest, self.all_projects)
        return manifest

    # Nothing is logged twice and nobody is told of a run that is none.
    quiet = {"LOG_LEVEL": "none", "LOG_LEVEL_FILE": "none", "SEND_ANONYMOUS_USAGE_STATS": "false"}
    names = {f"{prefix}{name}": value for name, value in quiet.items() for prefix in ("DBT_", "DBT_ENGINE_")}
    kept = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    loader.get_full_manifest = classmethod(whole_and_no_more)
    loader.write_manifest_for_partial_parse = write_and_listen_no_more
    loader.read_manifest_for_partial_parse = read_elsewhere
    try:
        invoke(script, arguments)
    except BaseException:  # Parsed, or what dbt makes of it
        pass
    finally:
        for name, method in zip(PATCHED, (whole, write, read)):
            setattr(loader, name, method)
        for name, value in kept.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


PATCHED = ("get_full_manifest", "write_manifest_for_partial_parse", "read_manifest_for_partial_parse")


def settle(manifest, projects):
    """A manifest from another container: its projects lay elsewhere, and that a file was modified at the same time proves nothing.

    For files with the same content the present times are put in, so that dbt need not parse their YAML again; for others none, so that
    it does.
    """
    files = importlib.import_module("dbt.contracts.files")
    for file in manifest.files.values():
        path = file.path
        if isinstance(path, files.FilePath):
            path.project_root = projects[file.project_name].project_root
            path.modification_time = 0.0
            if file.parse_file_type == files.ParseFileType.Schema and os.path.isfile(path.full_path):
                with open(path.full_path, encoding="utf-8") as content:
                    if files.FileHash.from_contents(content.read().strip()) == file.checksum:
                        path.modification_time = os.path.getmtime(path.full_path)
    for node in manifest.nodes.values():
        # Seeds alone have one.
        if getattr(node, "root_path", None):
            node.root_path = projects[node.package_name].project_root


def hand_over(memory):
    """Lets the manifest loader of this process find the manifest in memory; whether it still holds is for dbt to say."""
    loader = importlib.import_module("dbt.parser.manifest").ManifestLoader
    read = loader.read_manifest_for_partial_parse

    def from_memory(self):
        if not get_flags().PARTIAL_PARSE:
            return read(self)
        repeat(memory)
        valid = self.is_partial_parsable(memory.manifest)
        if valid[0]:
            memory.manifest.metadata.generated_at = self.manifest.metadata.generated_at
            memory.manifest.metadata.invocation_id = self.manifest.metadata.invocation_id
            return memory.manifest
        return None

    loader.read_manifest_for_partial_parse = from_memory


def repeat(memory):
    """Says what parsing had to say, as this step would have said it."""
    flush()
    for number, output in enumerate(memory.output, 1):
        write_all(number, output)
    manager = event_manager()
    for event in memory.events:
        event.info.invocation_id = importlib.import_module("dbt_common.invocation").get_invocation_id()
        for logger in manager.loggers:
            if logger.filter(event):
                logger.write_line(event)
    for name, count in memory.deprecations.items():
        deprecations()[name] += count


def get_flags():
    return importlib.import_module("dbt.flags").get_flags()


def event_manager():
    return importlib.import_module("dbt_common.events.event_manager_client").get_event_manager()


def listen(callback):
    event_manager().callbacks.append(callback)


def deprecations():
    """What dbt counts for the summary at the end of an invocation; older versions only remember names."""
    active = importlib.import_module("dbt.deprecations").active_deprecations
    return active if isinstance(active, dict) else {}


def forget_deprecations():
    """Those of the host's own invocations are not the step's."""
    try:
        importlib.import_module("dbt.deprecations").active_deprecations.clear()
    except (ImportError, AttributeError):
        # In another place in this version: then at most a summary counts too many.
        pass


def invoke(script, arguments):
    """What the script `dbt` does."""
    sys.argv = [script, *arguments]
    sys.exit(importlib.import_module("dbt.cli.main").cli())


# ---- a step -----------------------------------------------------------------------------------------------------------------------


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
        # Should the host be gone, nobody else can tell.
        os.write(status, bytes([code]))
    except KeyboardInterrupt:
        # As Python itself ends then.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
    finally:
        flush()
        os._exit(code)


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


def unpack(block):
    """`directory NUL name=value NUL … NUL`, where an empty entry is the end; `None` for a block without its end."""
    entries = block.split(b"\0")
    if len(entries) < 3 or entries[-2:] != [b"", b""]:
        return None
    return entries[0], dict(entry.split(b"=", 1) for entry in entries[1:-2])


# ---- wire -------------------------------------------------------------------------------------------------------------------------


def receive(control):
    """The next frame and the descriptors that came with it; `None` when the runner is gone. Four bytes of length stand before each."""
    length, descriptors, _, _ = socket.recv_fds(control, 4, 4)
    for descriptor in descriptors:
        # What a step starts has no business with them.
        os.set_inheritable(descriptor, False)
    length += receive_bytes(control, 4 - len(length)) if length else b""
    if len(length) < 4:
        return None, descriptors
    return receive_bytes(control, int.from_bytes(length, "big")), descriptors


def receive_bytes(control, length):
    content = b""
    while len(content) < length:
        part = control.recv(length - len(content))
        if not part:
            break
        content += part
    return content


def send(control, **message):
    content = json.dumps(message).encode()
    try:
        control.sendall(len(content).to_bytes(4, "big") + content)
    except OSError:
        # The runner is gone; a step that runs goes on to its end, as it would by itself.
        pass


def read_all(descriptor):
    parts = []
    while True:
        part = os.read(descriptor, 65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def write_all(descriptor, content):
    while content:
        content = content[os.write(descriptor, content):]


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass


def temporary_file():
    try:
        return os.memfd_create("dbt-entrypoint")
    except (AttributeError, OSError):
        return os.dup(importlib.import_module("tempfile").TemporaryFile().fileno())


def words(error):
    return f"{type(error).__name__}: {error}".splitlines()[0]


main()
wind_up()
os._exit(0)
