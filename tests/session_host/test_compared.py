"""A saved parse is used only if its models and macros have the texts of the files that are here."""

import copy
import hashlib
import os
import pathlib
import tempfile
import unittest
from typing import Any

import support  # noqa: F401 puts the package on the path
from host.compared import first_difference

MACRO = "{% macro cents(x) %}{{ x }}{% endmacro %}"
FILES = {
    "models/orders.sql": ("model", "\n-- a model\nselect 1 as id\n\n"),
    "models/off.sql": ("model", "{{ config(enabled=false) }} select 2"),
    "models/orders.yml": ("schema", "models: [{name: orders}]"),
    "snapshots/kept.sql": ("snapshot", "{% snapshot kept %}\nselect 3\n{% endsnapshot %}\n"),
    "macros/cents.sql": ("macro", f"{MACRO}\n{{% macro b() %}}{{% endmacro %}}"),
    "seeds/countries.csv": ("seed", "id\n1\n"),
    "models/notes.md": ("docs", "{% docs a %}a{% enddocs %}"),
}


RESOURCES = (
    ("nodes", "model.shop.orders", "models/orders.sql", {"raw_code": "-- a model\nselect 1 as id"}),
    ("nodes", "snapshot.shop.kept", "snapshots/kept.sql", {"raw_code": "\nselect 3\n"}),
    ("nodes", "snapshot.shop.of_yaml", "models/orders.yml", {"raw_code": "select * from a"}),
    ("nodes", "test.shop.unique_id", "models/orders.yml", {"raw_code": "{{ test_unique() }}"}),
    ("nodes", "seed.shop.countries", "seeds/countries.csv", {"raw_code": ""}),
    ("nodes", "operation.shop.hook", "./dbt_project.yml", {"raw_code": "select 4"}),
    ("macros", "macro.shop.cents", "macros/cents.sql", {"macro_sql": MACRO}),
)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def parse_of(folder: str) -> dict:
    files: dict[str, Any] = {}
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
            "checksum": {"name": "sha256", "checksum": digest(text.strip())},
            "project_name": "shop",
            "parse_file_type": kind,
        }
    parse: dict = {"files": files, "nodes": {}, "macros": {}, "disabled": {"model.shop.off": [{}]}}
    for kind, name, file, more in RESOURCES:
        place = {"package_name": "shop", "original_file_path": file}
        parse[kind][name] = {**place, "resource_type": name.split(".")[0], **more}
        if FILES.get(file, ("schema",))[0] != "schema":
            files[f"shop://{file}"].setdefault(kind, []).append(name)
    files["shop://models/off.sql"]["nodes"] = ["model.shop.off"]
    return parse


#: What somebody can do who can write the parse and all that is said of it: where, the value, and
#: what the comparison says.
ATTACKS: tuple = (
    ("nodes/model.shop.orders/raw_code", "drop table t", "the text of model.shop.orders"),
    ("nodes/model.shop.orders/raw_code", "", "the text of model.shop.orders"),
    ("nodes/snapshot.shop.kept/raw_code", "drop table t", "the text of snapshot.shop.kept"),
    ("macros/macro.shop.cents/macro_sql", MACRO.replace("{{ x }}", "drop"), "the text of"),
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

    def difference(self, parse: dict) -> Any:
        return first_difference(parse, {"shop": self.folder})

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
        file["checksum"]["checksum"] = digest("-- a model select 1 as id")
        self.assertIsNone(self.difference(self.parse))
        self.parse["nodes"]["model.shop.orders"]["raw_code"] = "-- a model select 1 as id"
        self.assertIn("the text of model.shop.orders", self.difference(self.parse))

    def test_a_file_that_has_changed_or_is_gone_is_for_dbt(self) -> None:
        (pathlib.Path(self.folder) / "models/orders.sql").write_text("select 5")
        (pathlib.Path(self.folder) / "macros/cents.sql").unlink()
        self.assertIsNone(self.difference(self.parse))


if __name__ == "__main__":
    unittest.main()
