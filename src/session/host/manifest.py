"""Owns the manifest that steps share: what one step has parsed or decoded, another need not again.

Each step looks for `partial_parse.msgpack`, reads it and decides what of it still holds: all that
is dbt's. Only the long way from its bytes to objects is taken once for the same bytes, if at all:
who writes them has the objects. They go to a file without a name, which all steps have, and which
the host never reads: a secret may be in it, as in dbt's own file.
"""

from __future__ import annotations

import copy
import dataclasses
import gc
import hashlib
import os
import pickle
from typing import Any

from . import seams, wire

# The digest of the bytes, in front of what they stand for.
DIGEST = 32
# What dbt does not write of a file, since nobody needs it once the file is parsed.
OF_PARSING = ("contents", "pp_dict", "pp_test_index")


class SharedManifest:
    name, since = "the shared manifest", (1, 5)

    def __init__(self) -> None:
        self.replaced = seams.Replaced()
        self.file = wire.temporary_file()

    def install(self) -> None:
        self.manifest = seams.fetch("dbt.contracts.graph.manifest", "Manifest")
        encode = seams.fetch("dbt.contracts.graph.manifest", "Manifest.to_msgpack", ("self",))
        decode = seams.fetch("dbt.contracts.graph.manifest", "Manifest.from_msgpack", ("data",))
        if not dataclasses.is_dataclass(self.manifest):
            raise seams.Missing("dbt.contracts.graph.manifest.Manifest is no dataclass")
        decode = getattr(decode, "__func__", None)
        if decode is None:
            raise seams.Missing("dbt.contracts.graph.manifest.Manifest.from_msgpack is no method")

        def to_msgpack(manifest: Any, *rest: Any, **options: Any) -> Any:
            data = encode(manifest, *rest, **options)
            if type(manifest) is self.manifest:
                self.keep(digest_of(data), manifest)
            return data

        def from_msgpack(cls: Any, data: Any, **options: Any) -> Any:
            if cls is not self.manifest or set(options) - {"decoder"}:
                return decode(cls, data, **options)
            digest = digest_of(data)
            manifest = self.find(digest)
            if manifest is None:
                manifest = decode(cls, data, **options)
                self.keep(digest, manifest)
            return manifest

        self.replaced.put(self.manifest, "to_msgpack", to_msgpack)
        self.replaced.put(self.manifest, "from_msgpack", classmethod(from_msgpack))

    def remove(self) -> None:
        self.replaced.undo()

    def find(self, digest: bytes | None) -> Any:
        """What was kept of these bytes, if it was these and it can be read."""
        if digest is None:
            return None
        is_enabled = gc.isenabled()
        gc.disable()
        try:
            if os.pread(self.file, DIGEST, 0) != digest:
                return None
            with open(self.file, "rb", closefd=False) as stream:
                stream.seek(DIGEST)
                # Written by a step of this run alone, as the file has no name.
                manifest = self.manifest(**pickle.load(stream))  # noqa: S301
            # It stays as long as the step.
            gc.freeze()
        except Exception:
            # Whatever has become of it, dbt can decode for itself.
            return None
        else:
            return manifest
        finally:
            if is_enabled:
                gc.enable()

    def keep(self, digest: bytes | None, manifest: Any) -> None:
        """Without what dbt makes anew for each manifest, such as its lock."""
        try:
            # Not valid before all of it is there.
            os.ftruncate(self.file, 0)
            if digest is None:
                return
            kept = {
                field.name: getattr(manifest, field.name)
                for field in dataclasses.fields(self.manifest)
                if field.init and "serialize" not in field.metadata
            }
            kept["files"] = {name: as_written(file) for name, file in kept["files"].items()}
            kept["source_patches"] = {}
            with open(self.file, "wb", closefd=False) as stream:
                stream.seek(DIGEST)
                pickle.dump(kept, stream, pickle.HIGHEST_PROTOCOL)
            os.pwrite(self.file, digest, 0)
        except Exception:  # noqa: S110
            # Not valid, then.
            pass


def digest_of(data: Any) -> bytes | None:
    try:
        return hashlib.sha256(data).digest()
    except Exception:
        return None


def as_written(file: Any) -> Any:
    written = copy.copy(file)
    for name in OF_PARSING:
        if hasattr(written, name):
            setattr(written, name, None)
    return written
