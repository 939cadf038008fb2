"""A saved parse is used only if its models and macros have the texts of the files that are here."""

import contextlib
import copy
import hashlib
import io
import os
import pathlib
import tempfile
import types
import unittest

from support import host

PART = host("compared")

FILES = {
    "models/orders.sql": ("model", "\n-- a model\nselect 1 as id\n\n"),
    "models/off.sql": ("model", "{{ config(enabled=false) }} select 2"),
    "models/orders.yml": ("schema", "models: [{name: orders}]"),
    "snapshots/kept.sql": ("snapshot", "{% snapshot kept %}\nselect 3\n{% endsnapshot %}\n"),
    "macros/cents.sql": (
        "macro",
        "{% macro cents(x) %}{{ x }}{% endmacro %}\n{% macro b() %}{% endmacro %}",
    ),
    "seeds/countries.csv": ("seed", "id\n1\n"),
    "models/notes.md": ("docs", "{% docs a %}a{% enddocs %}"),
}


def parse_of(folder: str) -> dict:
    files = {}
    for name, (kind, text) in FILES.items():
        path = pathlib.Path(folder) / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        files[f"shop://{name}"] = {
            "path": {
                "searched_path": os.path.dirname(name),
                "relative_path": os.path.basename(name),
                "project_root": "/elsewhere",
            },
            "checksum": {
                "name": "sha256",
                "checksum": hashlib.sha256(text.strip().encode()).hexdigest(),
            },
            "project_name": "shop",
            "parse_file_type": kind,
        }
    nodes, macros = {}, {}

    def add(kind: str, name: str, file: str, **more: str) -> None:
        place = {"macros": macros, "nodes": nodes}[kind]
        place[name] = {"package_name": "shop", "original_file_path": file, **more}
        if FILES.get(file, ("schema",))[0] != "schema":
            files[f"shop://{file}"].setdefault(kind, []).append(name)

    add(
        "nodes",
        "model.shop.orders",
        "models/orders.sql",
        resource_type="model",
        raw_code="-- a model\nselect 1 as id",
    )
    add(
        "nodes",
        "snapshot.shop.kept",
        "snapshots/kept.sql",
        resource_type="snapshot",
        raw_code="\nselect 3\n",
    )
    add(
        "nodes",
        "snapshot.shop.of_yaml",
        "models/orders.yml",
        resource_type="snapshot",
        raw_code="select * from {{ ref('orders') }}",
    )
    add(
        "nodes",
        "test.shop.unique_id",
        "models/orders.yml",
        resource_type="test",
        raw_code="{{ test_unique() }}",
    )
    add("nodes", "seed.shop.countries", "seeds/countries.csv", resource_type="seed", raw_code="")
    add(
        "nodes",
        "operation.shop.hook",
        "./dbt_project.yml",
        resource_type="operation",
        raw_code="select 4",
    )
    add(
        "macros",
        "macro.shop.cents",
        "macros/cents.sql",
        macro_sql="{% macro cents(x) %}{{ x }}{% endmacro %}",
    )
    files["shop://models/off.sql"]["nodes"] = ["model.shop.off"]
    return {"files": files, "nodes": nodes, "macros": macros, "disabled": {"model.shop.off": [{}]}}


#: What somebody can do who can write the parse and all that is said of it: where, the value, and
#: what is said.
ATTACKS = (
    ("nodes/model.shop.orders/raw_code", "drop table t", "the text of model.shop.orders"),
    ("nodes/model.shop.orders/raw_code", "", "the text of model.shop.orders"),
    ("nodes/snapshot.shop.kept/raw_code", "drop table t", "the text of snapshot.shop.kept"),
    (
        "macros/macro.shop.cents/macro_sql",
        "{% macro cents() %}{% do run_query('drop') %}{% endmacro %}",
        "the text of macro.shop.cents",
    ),
    ("macros/macro.shop.cents/original_file_path", "models/orders.yml", "from no file of its kind"),
    ("macros/macro.shop.cents/package_name", "gone", "from no file of its kind"),
    ("nodes/model.shop.orders/original_file_path", "models/notes.md", "from no file of its kind"),
    ("nodes/model.shop.orders", None, "nothing is known of shop://models/orders.sql"),
    ("files/shop:||models|orders.sql/nodes", [], "does not list model.shop.orders"),
    ("files/shop:||macros|cents.sql/macros", ["macro.shop.b"], "does not list macro.shop.cents"),
    ("files/shop:||models|orders.sql/path/relative_path", "no.sql", "is not where it says"),
    ("files/shop:||models|orders.sql/project_name", "gone", "is not where it says"),
    ("files/shop:||models|orders.sql/parse_file_type", "docs", "from no file of its kind"),
)


class Compared(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.parse = parse_of(self.folder)

    def difference(self, parse: dict) -> object:
        return PART.first_difference(parse, {"shop": self.folder})

    def test_a_parse_of_these_files_is_as_they_are(self) -> None:
        self.assertIsNone(self.difference(self.parse))

    def test_what_somebody_has_changed_is_found(self) -> None:
        for place, value, said in ATTACKS:
            parse = copy.deepcopy(self.parse)
            *way, last = [step.replace("|", "/") for step in place.split("/")]
            inner = parse
            for step in way:
                inner = inner[step]
            if value is None:
                del inner[last]
            else:
                inner[last] = value
            with self.subTest(place, value=value):
                self.assertIn(said, self.difference(parse) or "")

    def test_white_space_counts_where_the_checksum_is_blind_to_it(self) -> None:
        file = self.parse["files"]["shop://models/orders.sql"]
        file["checksum"]["checksum"] = hashlib.sha256(b"-- a model select 1 as id").hexdigest()
        self.assertIsNone(self.difference(self.parse))
        self.parse["nodes"]["model.shop.orders"]["raw_code"] = "-- a model select 1 as id"
        self.assertIn("the text of model.shop.orders", self.difference(self.parse))

    def test_a_file_that_has_changed_or_is_gone_is_for_dbt(self) -> None:
        (pathlib.Path(self.folder) / "models/orders.sql").write_text("select 5")
        (pathlib.Path(self.folder) / "macros/cents.sql").unlink()
        self.assertIsNone(self.difference(self.parse))

    def test_what_is_no_parse_is_left_alone_and_that_is_said(self) -> None:
        path = os.path.join(self.folder, "parse")
        for content in (b"", b"\xc1", b"\x80", b"\x81\xa5files\x01"):
            pathlib.Path(path).write_bytes(content)
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                self.assertFalse(
                    PART.is_as_the_files_are(
                        path, {"shop": types.SimpleNamespace(project_root=self.folder)}
                    )
                )
            self.assertIn("the saved parse is left alone", said.getvalue())


if __name__ == "__main__":
    unittest.main()
