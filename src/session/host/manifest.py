"""Owns the manifest on its way from the one parsing to the steps: packed by a child that has
parsed, unpacked by each step.

Packed, since a step copies what it touches of the host's memory: a manifest there would be there
twice.
"""

import contextlib
import dataclasses
import importlib
import os
import pickle

TAKE_A_MANIFEST = {
    "build",
    "clone",
    "compile",
    "docs generate",
    "list",
    "ls",
    "run",
    "run-operation",
    "seed",
    "show",
    "snapshot",
    "source freshness",
    "test",
}
# Options that win over what keeps dbt quiet in the host: a step with one of them parses for itself.
LOUD = {"--debug", "-d", "--log-level", "--log-level-file", "--send-anonymous-usage-stats"}
# After them dbt would parse anew, and say so. That the word may also be a value costs a parsing at
# most.
VOID_A_MANIFEST = {"clean", "deps"}
# What of a command line decides how a project is parsed. All other differences dbt finds by itself.
DECIDE_PARSING = (
    "--vars",
    "--target",
    "-t",
    "--profile",
    "--profiles-dir",
    "--project-dir",
    "--target-path",
)


class Memory:
    """What the last parsing has left."""

    def __init__(self):
        self.packed, self.sample = temporary_file(), temporary_file()
        self.forget()

    def forget(self):
        self.key, self.is_there, self.is_said, self.output = None, False, False, [b"", b""]
        for file in (self.packed, self.sample):
            os.ftruncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)

    def pack(self, manifest, said):
        """`said`: what parsing had to say. Leaves out what dbt leaves out of its own file, and
        what each step makes anew.
        """
        manifest.source_patches = {}
        for file in manifest.files.values():
            for name in ("contents", "pp_dict", "pp_test_index"):
                if hasattr(file, name):
                    setattr(file, name, None)
        kept = {
            field.name: getattr(manifest, field.name)
            for field in dataclasses.fields(manifest)
            if "serialize" not in field.metadata
        }
        kept.pop("flat_graph", None)
        # One of a kind is enough for a rehearsal.
        few = {
            name: one_of_a_kind(value) if isinstance(value, dict) else value
            for name, value in kept.items()
        }
        for file, content in ((self.sample, (few, None)), (self.packed, (kept, said))):
            with open(file, "wb", closefd=False) as stream:
                pickle.dump(content, stream, pickle.HIGHEST_PROTOCOL)

    @staticmethod
    def unpack(file):
        """A manifest and what was said of it."""
        with open(file, "rb", closefd=False) as stream:
            stream.seek(0)
            kept, said = pickle.load(stream)
        return importlib.import_module("dbt.contracts.graph.manifest").Manifest(**kept), said


@dataclasses.dataclass
class Said:
    """What parsing had to say: events, `frozen` on their way; how often each deprecation was
    met; where in the captured streams it began.
    """

    events: list
    deprecations: dict
    begun: list


def frozen(message):
    """Not all versions of dbt have their messages where `pickle` would find them."""
    return message.DESCRIPTOR.full_name, message.SerializeToString()


def thawed(name, content):
    descriptor = (
        importlib.import_module("google.protobuf.descriptor_pool")
        .Default()
        .FindMessageTypeByName(name)
    )
    return (
        importlib.import_module("google.protobuf.message_factory")
        .GetMessageClass(descriptor)
        .FromString(content)
    )


def one_of_a_kind(entries):
    return dict({type(value): (name, value) for name, value in entries.items()}.values())


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
            key.append((name, value if equals else "".join(arguments[place + 1 : place + 2])))
    return sorted(key)


def hand_over(memory):
    """Lets the manifest loader of this process find the manifest in memory; whether it still
    holds is for dbt to say.
    """
    try:
        manifest, said = memory.unpack(memory.packed)
        said.events = [thawed(*event) for event in said.events]
    except Exception:
        # Whatever has become of it, this step can parse for itself.
        return
    loader = importlib.import_module("dbt.parser.manifest").ManifestLoader
    read = loader.read_manifest_for_partial_parse

    def from_memory(self):
        if not get_flags().PARTIAL_PARSE:
            return read(self)
        try:
            if not memory.is_said:
                repeat(memory.output, said)
            valid = self.is_partial_parsable(manifest)
            if valid[0]:
                # Whose invocation it is, and who is told of it, only the step knows.
                manifest.metadata = self.manifest.metadata
                return manifest
        except Exception:
            # Something is not as it was when this was written: dbt's own way is always there.
            return read(self)
        return None

    loader.read_manifest_for_partial_parse = from_memory


def repeat(output, said):
    """Says what parsing had to say, as this step would have said it."""
    flush()
    for number, (content, begun) in enumerate(zip(output, said.begun), 1):
        write_all(number, content[begun:])
    manager = event_manager()
    for event in said.events:
        event.info.pid = os.getpid()
        event.info.ts.GetCurrentTime()
        event.info.invocation_id = importlib.import_module(
            "dbt_common.invocation"
        ).get_invocation_id()
        for logger in manager.loggers:
            if logger.filter(event):
                logger.write_line(event)
    for name, count in said.deprecations.items():
        deprecations()[name] += count


def get_flags():
    return importlib.import_module("dbt.flags").get_flags()


def event_manager():
    return importlib.import_module("dbt_common.events.event_manager_client").get_event_manager()


def deprecations():
    """What dbt counts for the summary at the end of an invocation; older versions only remember
    names.
    """
    active = importlib.import_module("dbt.deprecations").active_deprecations
    return active if isinstance(active, dict) else {}


def forget_deprecations():
    """Those of the host's own invocations are not the step's."""
    for name in ("active_deprecations", "buffered_deprecations"):
        # In another place in another version: then at most a summary counts too many.
        with contextlib.suppress(ImportError, AttributeError):
            getattr(importlib.import_module("dbt.deprecations"), name).clear()


def forget_surroundings():
    """dbt reads what is to be noted of the environment once in a process, and the one it comes
    from had another.
    """
    with contextlib.suppress(ImportError, AttributeError):
        importlib.import_module("dbt_common.events.functions").reset_metadata_vars()
