"""Owns the manifest: one parsing in the host, found in memory by the steps.

What is known of dbt's parsing is here: methods of the manifest loader, where its events go, and what it counts for a summary. Where they
are not as expected, each step parses for itself, as it does without a host.
"""

import importlib
import os

TAKE_A_MANIFEST = {"build", "clone", "compile", "docs generate", "list", "ls", "run", "run-operation", "seed", "show", "snapshot",
                   "source freshness", "test"}
# Options that win over what keeps dbt quiet in the host: a step with one of them parses for itself.
LOUD = {"--debug", "-d", "--log-level", "--log-level-file", "--send-anonymous-usage-stats"}
# After them dbt would parse anew, and say so. That the word may also be a value costs a parsing at most.
VOID_A_MANIFEST = {"clean", "deps"}
# What of a command line decides how a project is parsed. All other differences dbt finds by itself.
DECIDE_PARSING = ("--vars", "--target", "-t", "--profile", "--profiles-dir", "--project-dir", "--target-path")
PATCHED = ("get_full_manifest", "write_manifest_for_partial_parse", "read_manifest_for_partial_parse")


class Parsed(BaseException):
    """Ends dbt's invocation in the host as soon as there is a manifest."""


class Memory:
    """The manifest of the last parsing, and what parsing had to say."""

    def __init__(self):
        self.forget()

    def forget(self):
        self.manifest, self.key, self.events, self.output, self.deprecations = None, None, [], [b"", b""], {}


def takes_manifest(arguments):
    words = [argument for argument in arguments[:2] if not argument.startswith("-")]
    if LOUD.intersection(argument.partition("=")[0] for argument in arguments):
        return False
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
    # What was said of an earlier parsing is said again, or is an error again.
    forget_deprecations()
    memory.key = parsing_key(arguments)
    try:
        loader = importlib.import_module("dbt.parser.manifest").ManifestLoader
        whole, write, read = (loader.__dict__[name] for name in PATCHED)
    except (ImportError, AttributeError, KeyError):
        return
    events, before = [], {}

    def whole_and_no_more(cls, config, **options):
        if get_flags().PARTIAL_PARSE:
            memory.manifest = whole.__func__(cls, config, **options)
        raise Parsed

    def write_and_listen_no_more(self):
        write(self)
        # What dbt says from here on it says each time, and so will the steps.
        memory.events = list(events)
        memory.deprecations = {name: count - before.get(name, 0) for name, count in deprecations().items()}

    def read_and_listen(self):
        # What dbt says before it reads, the steps say themselves.
        listen(events.append)
        before.update(deprecations())
        flags = get_flags()
        own = os.path.join(self.root_project.project_target_path, "partial_parse.msgpack")
        if not restored or os.path.exists(own) or getattr(flags, "PARTIAL_PARSE_FILE_PATH", None):
            return read(self)
        # Not under dbt's own name: who reads it there would take it for a parse of these files, in this place.
        object.__setattr__(flags, "PARTIAL_PARSE_FILE_PATH", restored)
        manifest = read(self)
        if manifest is not None:
            settle(manifest, self.all_projects)
        return manifest

    # Nothing is logged twice and nobody is told of a run that is none.
    quiet = {"LOG_LEVEL": "none", "LOG_LEVEL_FILE": "none", "SEND_ANONYMOUS_USAGE_STATS": "false"}
    names = {f"{prefix}{name}": value for name, value in quiet.items() for prefix in ("DBT_", "DBT_ENGINE_")}
    kept = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    loader.get_full_manifest = classmethod(whole_and_no_more)
    loader.write_manifest_for_partial_parse = write_and_listen_no_more
    loader.read_manifest_for_partial_parse = read_and_listen
    try:
        with Extractor():
            invoke(script, arguments)
    except BaseException:  # Parsed, or what dbt makes of it
        pass
    finally:
        for name, method in zip(PATCHED, (whole, write, read)):
            setattr(loader, name, method)
        for name, value in kept.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


def settle(manifest, projects):
    """A manifest from another container: its projects lay elsewhere, and that a file was modified at the same time proves nothing.

    For files with the same content the present times are put in, so that dbt need not parse their YAML again; for others none, so that
    it does.
    """
    files = importlib.import_module("dbt.contracts.files")
    for file in manifest.files.values():
        path = file.path
        # A package that is gone is for dbt to find.
        if isinstance(path, files.FilePath) and file.project_name in projects:
            path.project_root = projects[file.project_name].project_root
            path.modification_time = 0.0
            if file.parse_file_type == files.ParseFileType.Schema and os.path.isfile(path.full_path):
                with open(path.full_path, encoding="utf-8") as content:
                    if files.FileHash.from_contents(content.read().strip()) == file.checksum:
                        path.modification_time = os.path.getmtime(path.full_path)
    for node in manifest.nodes.values():
        # Seeds alone have one.
        if getattr(node, "root_path", None) and node.package_name in projects:
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
        event.info.pid = os.getpid()
        event.info.ts.GetCurrentTime()
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
