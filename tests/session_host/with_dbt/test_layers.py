"""The layers beside dbt itself: what each stands for, and that the documentation names it."""

import contextlib
import dataclasses
import inspect
import io
import os
import subprocess
import sys
import tempfile
import unittest
from typing import Any
from unittest import mock

import msgpack
import support
from dbt.cli.main import cli
from dbt.contracts.files import FileHash, FilePath, ParseFileType, SchemaSourceFile
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import Macro
from dbt.graph.queue import GraphQueue
from dbt.task.build import BuildTask
from host import nodes, restored, seams
from host.layers import Layers
from host.manifest import SharedManifest, digest_of
from host.shortcuts.class_code import ClassCode
from host.shortcuts.warm_up import know_files

MACRO = {
    "name": "it",
    "resource_type": "macro",
    "package_name": "shop",
    "path": "macros/it.sql",
    "original_file_path": "macros/it.sql",
    "unique_id": "macro.shop.it",
    "macro_sql": "{% macro it() %}{% endmacro %}",
}


def decode(data: bytes) -> Manifest:
    return Manifest.from_msgpack(data)


class Shared(unittest.TestCase):
    def setUp(self) -> None:
        manifest = Manifest(macros={"macro.shop.it": Macro.from_dict(MACRO)})
        self.data = manifest.to_msgpack()
        self.usual = decode(self.data)
        self.layer = SharedManifest()
        self.layer.install()
        self.addCleanup(self.layer.remove)

    def same(self, manifest: Manifest) -> None:
        self.assertEqual(set(vars(manifest)), set(vars(self.usual)))
        for field in dataclasses.fields(Manifest):
            if "serialize" not in field.metadata and field.name != "metadata":
                # Not all of dbt's objects equal themselves.
                here, there = (repr(getattr(it, field.name)) for it in (manifest, self.usual))
                self.assertEqual(here, there, field.name)

    def test_what_was_decoded_once_is_found_by_its_bytes(self) -> None:
        self.same(decode(self.data))
        self.same(self.found(self.data))
        self.same(decode(self.data))
        other = Manifest().to_msgpack()
        self.assertIsNone(self.found(self.data))
        self.assertEqual(self.found(other).macros, {})
        self.assertEqual(decode(other).macros, {})
        self.same(decode(self.data))

    def found(self, data: bytes) -> Manifest:
        return self.layer.find(digest_of(data))

    def test_what_was_written_is_found_as_it_would_be_decoded(self) -> None:
        path = FilePath("macros", "it.sql", 1.5, "/project")
        parsed: dict[str, Any] = {
            "contents": "models: []",
            "dfy": {"models": []},
            "pp_dict": {"models": []},
        }
        file = SchemaSourceFile(path, FileHash.empty(), "shop", ParseFileType.Schema, **parsed)
        manifest = Manifest(macros=dict(self.usual.macros), files={file.file_id: file})
        manifest.flat_graph = {"nodes": {"one": {}}}
        # What dbt looks up meanwhile is not written.
        manifest.get_macros_by_name()
        data = manifest.to_msgpack()
        self.assertIsNotNone(self.found(data))
        self.layer.remove()
        decoded = decode(data)
        found = self.found(data)
        for name in ("files", "macros", "flat_graph", "source_patches", "state_check"):
            self.assertEqual(repr(getattr(found, name)), repr(getattr(decoded, name)), name)
        self.assertEqual({type(it) for it in (found._lock, manifest._lock)}, {type(decoded._lock)})
        self.assertIsNone(found._macros_by_name)
        # The step that wrote it goes on with all it had.
        self.assertEqual((file.contents, file.pp_dict), ("models: []", {"models": []}))
        self.assertEqual(manifest.flat_graph, {"nodes": {"one": {}}})

    def test_whatever_is_wrong_dbt_decodes_for_itself(self) -> None:
        for fault in [
            lambda: os.ftruncate(self.layer.file, 40),
            lambda: os.pwrite(self.layer.file, b"\xff" * 100, 32),
            lambda: os.ftruncate(self.layer.file, 0),
        ]:
            self.same(decode(self.data))
            fault()
            self.same(decode(self.data))
        with mock.patch("pickle.dump", side_effect=MemoryError):
            self.same(decode(Manifest(macros=self.usual.macros).to_msgpack()))
        with self.assertRaises(Exception):  # noqa: B017
            decode(b"no manifest")

    def test_it_is_put_back(self) -> None:
        ours = vars(Manifest)["from_msgpack"]
        self.layer.remove()
        self.assertIsNot(vars(Manifest)["from_msgpack"], ours)
        self.same(decode(self.data))


class Settled(unittest.TestCase):
    def test_files_with_the_same_content_get_their_time_and_others_none(self) -> None:
        with tempfile.TemporaryDirectory() as here:
            for name, content in [("same.yml", "models: []\n"), ("other.yml", "other: 1\n")]:
                with open(os.path.join(here, name), "w", encoding="utf-8") as stream:
                    stream.write(content)
            digest = restored.hashlib.sha256(b"models: []").hexdigest()

            def file(name: str, kind: str = "schema", project: str = "shop") -> dict:
                place = {"searched_path": "", "relative_path": name, "modification_time": 1.5}
                return {
                    "path": {**place, "project_root": "/elsewhere"},
                    "project_name": project,
                    "parse_file_type": kind,
                    "checksum": {"name": "sha256", "checksum": digest},
                }

            files = {
                "same": file("same.yml"),
                "other": file("other.yml"),
                "sql": file("same.yml", "model"),
                "gone": file("gone.yml"),
                "package": file("same.yml", project="gone"),
            }
            seed = {"root_path": "/elsewhere", "package_name": "shop"}
            parse = {"files": files, "nodes": {"seed": seed, "model": {}}}
            restored.settle(parse, {"shop": here})
            times = {name: file["path"]["modification_time"] for name, file in files.items()}
            present = os.path.getmtime(os.path.join(here, "same.yml"))
            none = {"other": 0.0, "sql": 0.0, "gone": 0.0}
            self.assertEqual(times, {"same": present, **none, "package": 1.5})
            roots = [file["path"]["project_root"] for file in files.values()]
            self.assertEqual(roots, [here] * 4 + ["/elsewhere"])
            self.assertEqual(seed["root_path"], here)

    def test_what_is_no_parse_is_left_alone_and_that_is_said(self) -> None:
        for content in (b"", b"\xc1", b"\x80", b"\x81\xa5files\x01"):
            with tempfile.NamedTemporaryFile() as file:
                file.write(content)
                file.flush()
                with contextlib.redirect_stderr(io.StringIO()) as said:
                    self.assertIsNone(restored.as_here(file.name, {"shop": "."}))
            self.assertIn("the saved parse is left alone", said.getvalue())

    def test_dates_survive(self) -> None:
        dates = {"files": {}, "nodes": {}, "date": msgpack.ExtType(1, b"2024-01-01")}
        parse = msgpack.unpackb(msgpack.packb(dates), strict_map_key=False)
        restored.settle(parse, {})
        self.assertEqual(parse["date"], dates["date"])


#: Counts what Mashumaro writes for a macro that is read and written.
WRITTEN = f"""import sys
sys.path[:0] = [{str(support.HOST.parent)!r}]
import dbt.cli.main
from dbt.contracts.graph.nodes import Macro
from dbt.graph.queue import GraphQueue
from dbt.task.build import BuildTask
from host.shortcuts.class_code import ClassCode
from mashumaro.core.meta.code.builder import CodeBuilder
if sys.argv[1] == "ours":
    ClassCode().install()
count = 0
for name in ("add_pack_method", "add_unpack_method"):
    def counted(self, *rest, usual=getattr(CodeBuilder, name), **options):
        global count
        count += 1
        return usual(self, *rest, **options)
    setattr(CodeBuilder, name, counted)
macro = Macro.resource_class().from_dict({{**{MACRO!r}, "created_at": 1}})
print(count, macro.to_dict(omit_none=False))
"""


class Asked(unittest.TestCase):
    def test_the_code_of_a_common_class_is_there_and_is_the_same(self) -> None:
        usual, ours = (
            subprocess.run(
                [sys.executable, "-c", WRITTEN, whose], capture_output=True, text=True, check=True
            ).stdout.partition(" ")
            for whose in ("usual", "ours")
        )
        self.assertGreater(int(usual[0]), 0)
        self.assertEqual((ours[0], ours[2]), ("0", usual[2]))

    def test_no_class_that_is_unlike_what_is_expected_is_asked_in_vain(self) -> None:
        for hints in ({}, {"nodes": dict[str, int]}, {"macros": Manifest}):
            with mock.patch("typing.get_type_hints", return_value=hints):
                ClassCode().install()


class Files(unittest.TestCase):
    def test_whoever_asks_for_the_stack_gets_the_same(self) -> None:
        names: dict = {"stack": inspect.stack}
        exec(compile("def ask(): return stack()", "<string>", "exec"), names)  # noqa: S102

        def asked() -> list:
            return [(it.filename, it.function, it.code_context) for it in names["ask"]()][:2]

        with mock.patch.dict(inspect.modulesbyfile):
            before = asked()
            know_files()
            self.assertEqual(asked(), before)
            self.assertEqual(inspect.modulesbyfile["<string>"], "")


def told_by_nodes() -> bytes:
    """What is said when the telling of nodes is put in; it is taken out again."""
    with contextlib.ExitStack() as stack:
        for owner, name in (
            (GraphQueue, "get_selected_nodes"),
            (BuildTask, "build_model_to_unit_test_map"),
        ):
            stack.enter_context(mock.patch.object(owner, name, getattr(owner, name)))
        stack.enter_context(mock.patch.dict(cli.context_settings))
        file = stack.enter_context(tempfile.TemporaryFile())
        nodes.tell(file.fileno())
        file.seek(0)
        return file.read()


class Documented(unittest.TestCase):
    def test_every_seam_is_there_and_in_the_documentation(self) -> None:
        fetched, usual = [], seams.fetch

        def fetch(module: str, path: str, takes: object = None) -> object:
            fetched.append(f"{module}.{path}")
            return usual(module, path, takes)

        layers = Layers()
        self.addCleanup(lambda: [layer.remove() for layer in layers.on])
        with mock.patch.object(seams, "fetch", fetch):
            layers.choose("1.11.0", (1, 11))
            layers.before_import()
            layers.after_import()
            self.assertEqual(told_by_nodes(), b"")
        self.assertEqual(layers.left_out, [])
        path = support.ROOT / "docs/dbt-internals.md"
        named = path.read_text(encoding="utf-8").split("`")[1::2]
        self.assertEqual(set(fetched) - set(named), set(), "not in docs/dbt-internals.md")
        symbols = {name for name in named if name.startswith(("dbt.", "dbt_common.", "jinja2."))}
        self.assertEqual(symbols - set(fetched), set(), "in docs/dbt-internals.md alone")


if __name__ == "__main__":
    unittest.main()
