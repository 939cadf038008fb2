"""The layers beside dbt itself: what each stands for, and that the documentation names it."""

import dataclasses
import os
import tempfile
import unittest
from unittest import mock

import msgpack
import support
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import Macro
from host import restored, seams
from host.layers import Layers
from host.manifest import SharedManifest, is_all

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
        self.assertTrue(is_all(manifest, self.usual))
        for field in dataclasses.fields(Manifest):
            if "serialize" not in field.metadata and field.name != "metadata":
                # Not all of dbt's objects equal themselves.
                here, there = (repr(getattr(it, field.name)) for it in (manifest, self.usual))
                self.assertEqual(here, there, field.name)

    def test_what_was_decoded_once_is_found_by_its_bytes(self) -> None:
        self.same(decode(self.data))
        self.same(self.layer.find(self.layer.digest(self.data, {})))
        self.same(decode(self.data))
        other = Manifest().to_msgpack()
        self.assertIsNone(self.layer.find(self.layer.digest(other, {})))
        self.assertEqual(decode(other).macros, {})
        self.same(decode(self.data))

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
        with self.assertRaises(Exception):
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
                with open(os.path.join(here, name), "w", encoding="utf-8") as file:
                    file.write(content)
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

    def test_dates_survive(self) -> None:
        dates = {"files": {}, "nodes": {}, "date": msgpack.ExtType(1, b"2024-01-01")}
        parse = msgpack.unpackb(msgpack.packb(dates), strict_map_key=False)
        restored.settle(parse, {})
        self.assertEqual(parse["date"], dates["date"])


class Documented(unittest.TestCase):
    def test_every_seam_is_there_and_in_the_documentation(self) -> None:
        fetched, usual = [], seams.fetch

        def fetch(module: str, path: str, takes: object = None) -> object:
            fetched.append(f"{module}.{path}")
            return usual(module, path, takes)  # type: ignore

        layers = Layers()
        self.addCleanup(lambda: [layer.remove() for layer in layers.all])
        with mock.patch.object(seams, "fetch", fetch):
            layers.switch_on((1, 13), (1, 13))
        self.assertEqual(layers.left_out, [])
        path = support.ROOT / "docs/dbt-internals.md"
        named = path.read_text(encoding="utf-8").split("`")[1::2]
        self.assertEqual(set(fetched) - set(named), set(), "not in docs/dbt-internals.md")
        symbols = {name for name in named if name.startswith(("dbt.", "dbt_common."))}
        self.assertEqual(symbols - set(fetched), set(), "in docs/dbt-internals.md alone")


if __name__ == "__main__":
    unittest.main()
