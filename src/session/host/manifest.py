"""Owns the manifest that steps share: what dbt has made once of a saved parse, it need not again.

Each step looks for `partial_parse.msgpack`, reads it and decides what of it still holds: all that
is dbt's. Only the long way from its bytes to objects is taken once for the same bytes. The first
step that takes it leaves what came of it in a file without a name, which all steps have, and which
the host never reads: a secret may be in it, as in dbt's own file.
"""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import os
import pickle
from typing import Any, Optional

from . import seams, wire

# The digest of what was decoded, in front of what came of it.
DIGEST = 32


class SharedManifest:
    name, since = "the shared manifest", (1, 5)

    def __init__(self) -> None:
        self.replaced = seams.Replaced()
        self.file = wire.temporary_file()

    def install(self) -> None:
        self.manifest = seams.fetch("dbt.contracts.graph.manifest", "Manifest")
        usual = seams.fetch("dbt.contracts.graph.manifest", "Manifest.from_msgpack", ("data",))
        if not dataclasses.is_dataclass(self.manifest):
            raise seams.Missing("dbt.contracts.graph.manifest.Manifest is no dataclass")

        usual = getattr(usual, "__func__", None)
        if usual is None:
            raise seams.Missing("dbt.contracts.graph.manifest.Manifest.from_msgpack is no method")

        def from_msgpack(cls: Any, data: Any, **options: Any) -> Any:
            if cls is not self.manifest or set(options) - {"decoder"}:
                return usual(cls, data, **options)
            digest = self.digest(data, options)
            manifest = self.find(digest)
            if manifest is None:
                manifest = usual(cls, data, **options)
                self.keep(digest, manifest)
            return manifest

        self.replaced.put(self.manifest, "from_msgpack", classmethod(from_msgpack))

    def remove(self) -> None:
        self.replaced.undo()

    @staticmethod
    def digest(data: Any, options: dict[str, Any]) -> Optional[bytes]:
        try:
            decoder = getattr(options.get("decoder"), "__qualname__", "")
            return hashlib.sha256(decoder.encode() + b"\0" + data).digest()
        except Exception:
            return None

    def find(self, digest: Optional[bytes]) -> Any:
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
                manifest = self.made_of(*pickle.load(stream))
            # It stays as long as the step.
            gc.freeze()
            return manifest
        except Exception:
            # Whatever has become of it, dbt can decode for itself.
            return None
        finally:
            if is_enabled:
                gc.enable()

    def made_of(self, kept: dict[str, Any], none: list[str]) -> Any:
        manifest = self.manifest(**kept)
        vars(manifest).update(dict.fromkeys(none))
        return manifest

    def keep(self, digest: Optional[bytes], manifest: Any) -> None:
        """Without what dbt makes anew for each manifest, such as its lock."""
        try:
            # Not valid before all of it is there.
            os.ftruncate(self.file, 0)
            kept = {
                field.name: getattr(manifest, field.name)
                for field in dataclasses.fields(self.manifest)
                if field.init and "serialize" not in field.metadata
            }
            # What decoding leaves out, and the constructor would put in.
            none = [name for name, value in vars(manifest).items() if value is None]
            if digest is None or not is_all(manifest, self.made_of(kept, none)):
                return
            with open(self.file, "wb", closefd=False) as stream:
                stream.seek(DIGEST)
                pickle.dump((kept, none), stream, pickle.HIGHEST_PROTOCOL)
            os.pwrite(self.file, digest, 0)
        except Exception:
            # Not valid, then.
            pass


def is_all(manifest: Any, copy: Any) -> bool:
    """Whether a copy has each attribute that the original has, of the same type."""
    here, there = ({name: type(value) for name, value in vars(m).items()} for m in (manifest, copy))
    return here == there
