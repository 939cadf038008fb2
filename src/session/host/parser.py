"""Owns what dbt does in the host and for the host: the way up to a manifest, and the parsing, in a
child.

What is known of dbt's parsing is here: methods of the manifest loader, where its events go, and
what it counts for a summary. Where they are not as expected, each step parses for itself, as it
does without a host.
"""

import contextlib
import gc
import importlib
import os

PATCHED = (
    "get_full_manifest",
    "load",
    "write_manifest_for_partial_parse",
    "read_manifest_for_partial_parse",
)


class Enough(BaseException):
    """Ends dbt's invocation in the host, or in its child, as soon as there is what was wanted."""


def manifest_loader():
    """dbt's, and those of its methods that are replaced here, if it has them all."""
    try:
        loader = importlib.import_module("dbt.parser.manifest").ManifestLoader
        return loader, [loader.__dict__[name] for name in PATCHED]
    except (ImportError, AttributeError, KeyError):
        return None, []


def warm_up(script, arguments):
    """Lets dbt begin, up to the manifest. What it has made by then, such as the code of its own
    classes, no step makes again.

    Any failure is told by the steps.
    """
    loader, methods = manifest_loader()
    if loader is None:
        return
    requires = try_import("dbt.cli.requires")
    plugins = getattr(requires, "set_up_plugin_manager", None)

    def enough(cls, *_, **__):
        raise Enough

    loader.get_full_manifest = classmethod(enough)
    if plugins:
        # What a plugin does and says when it is imported, it does and says in each step.
        requires.set_up_plugin_manager = lambda *_, **__: None
    try:
        # The working directory is there already: no place for a log is made that nobody asked for.
        with quiet(LOG_PATH=os.curdir), contextlib.suppress(BaseException):
            invoke(
                script, ["parse", *(word for option in parsing_key(arguments) for word in option)]
            )
    finally:
        loader.get_full_manifest = methods[0]
        if plugins:
            requires.set_up_plugin_manager = plugins


def rehearse(memory):
    """Writes a manifest of few nodes to nowhere, as each step writes the whole one."""
    with contextlib.suppress(Exception):
        manifest, _ = memory.unpack(memory.sample)
        manifest.writable_manifest().to_dict(omit_none=False, context={"artifact": True})
        importlib.import_module("dbt.contracts.graph.semantic_manifest").SemanticManifest(
            manifest
        )._get_pydantic_semantic_manifest()


def parse(script, arguments, memory, restored, descriptors):
    """Lets a child parse the project and pack the manifest. Any failure is told by the step itself,
    which parses again.

    In a child, since parsing leaves as much behind as it keeps; since dbt's static parser has
    threads, which no fork has; and since a manifest in the host would be copied by each step.
    `descriptors`: what is the host's alone.
    """
    memory.forget()
    memory.key = parsing_key(arguments)
    flush()
    try:
        child = os.fork()
    except (OSError, MemoryError):
        return
    if child == 0:
        code = 1
        try:
            for descriptor in descriptors:
                os.close(descriptor)
            gc.enable()
            code = 0 if pack_a_manifest(script, arguments, memory, restored) else 1
            flush()
        finally:
            os._exit(code)
    memory.is_there = os.waitpid(child, 0)[1] == 0


def pack_a_manifest(script, arguments, memory, restored):
    """Lets dbt begin the step, and stops it as soon as it has a manifest. Says whether it has
    come to that.
    """
    loader, methods = manifest_loader()
    if loader is None:
        return False
    whole, load, write, read = methods
    forget_warnings()
    # What was said of an earlier parsing is said again, or is an error again.
    forget_deprecations()
    forget_surroundings()
    events, before, begun, due, packed = [], {}, [], [], []
    said = Said([], {}, begun)

    def whole_if_wanted(cls, config, **options):
        if get_flags().PARTIAL_PARSE:
            whole.__func__(cls, config, **options)
        raise Enough

    def load_and_no_more(self):
        manifest = load(self)
        # What dbt makes of it from here on, each step makes itself.
        gc.disable()
        memory.pack(manifest, said)
        # Only now: a step that parses for itself should not find it, since it would not say then
        # what parsing has to say.
        if due:
            write(self)
        packed.append(True)
        raise Enough

    def listen_no_more(self):
        due.append(True)
        # What dbt says from here on it says each time, and so will the steps.
        said.events = [frozen(event) for event in events]
        said.deprecations = {
            name: count - before.get(name, 0) for name, count in deprecations().items()
        }

    def read_and_listen(self):
        # What dbt says before it reads, the steps say themselves.
        flush()
        begun[:] = [os.fstat(number).st_size for number in (1, 2)]
        event_manager().callbacks.append(events.append)
        before.update(deprecations())
        flags = get_flags()
        own = os.path.join(self.root_project.project_target_path, "partial_parse.msgpack")
        if not restored or os.path.exists(own) or getattr(flags, "PARTIAL_PARSE_FILE_PATH", None):
            return read(self)
        if not is_as_the_files_are(restored, self.all_projects):
            return read(self)
        # Not under dbt's own name: who reads it there would take it for a parse of these files, in
        # this place.
        object.__setattr__(flags, "PARTIAL_PARSE_FILE_PATH", restored)
        manifest = read(self)
        if manifest is not None:
            settle(manifest, self.all_projects)
        return manifest

    loader.get_full_manifest = classmethod(whole_if_wanted)
    loader.load = load_and_no_more
    loader.write_manifest_for_partial_parse = listen_no_more
    loader.read_manifest_for_partial_parse = read_and_listen
    parse_macros_once()
    with quiet(), contextlib.suppress(BaseException):
        invoke(script, arguments)
    return bool(packed)


@contextlib.contextmanager
def quiet(**more):
    """Nothing is logged twice and nobody is told of a run that is none."""
    settings = {
        "LOG_LEVEL": "none",
        "LOG_LEVEL_FILE": "none",
        "SEND_ANONYMOUS_USAGE_STATS": "false",
        **more,
    }
    names = {
        f"{prefix}{name}": value
        for name, value in settings.items()
        for prefix in ("DBT_", "DBT_ENGINE_")
    }
    kept = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in kept.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


def settle(manifest, projects):
    """A manifest from another container: its projects lay elsewhere, and that a file was modified
    at the same time proves nothing.

    For files with the same content the present times are put in, so that dbt need not parse their
    YAML again; for others none, so that it does.
    """
    files = importlib.import_module("dbt.contracts.files")
    for file in manifest.files.values():
        path = file.path
        # A package that is gone is for dbt to find.
        if isinstance(path, files.FilePath) and file.project_name in projects:
            path.project_root = projects[file.project_name].project_root
            path.modification_time = 0.0
            if file.parse_file_type == files.ParseFileType.Schema and os.path.isfile(
                path.full_path
            ):
                with open(path.full_path, encoding="utf-8") as content:
                    if files.FileHash.from_contents(content.read().strip()) == file.checksum:
                        path.modification_time = os.path.getmtime(path.full_path)
    for node in manifest.nodes.values():
        # Seeds alone have one.
        if getattr(node, "root_path", None) and node.package_name in projects:
            node.root_path = projects[node.package_name].project_root
