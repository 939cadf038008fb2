"""Each linter passes the project as it is, and finds the fault that is put before it.

clippy and cargo doc are not here: they would compile all dependencies once more, in the copy.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]

WORKFLOW = """\
name: faulty
on: push
permissions: {}
jobs:
  job:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - %s
"""
WAREHOUSE = """\
[sqlfluff]
templater = dbt
dialect = redshift
exclude_rules = structure.column_order
max_line_length = 120
[sqlfluff:templater:dbt]
project_dir = .
profiles_dir = .
profile = shop
target = duckdb
[sqlfluff:rules:references.keywords]
ignore_words = day
"""
NEW_WORKFLOW = ".github/workflows/faulty.yml"

# Linter, the file, what is put at its end (or the whole of a new one), what the linter says.
FAULTS = [
    ("format", "src/main.rs", "fn  faulty( ) {}\n", "fn  faulty"),
    ("shell", "scripts/faulty", "#!/bin/sh\nrm -r $1/*\n", "SC2086"),
    ("shell", "scripts/faulty.sh", "# shellcheck shell=bash\necho $1\n", "SC2086"),
    ("python", "scripts/measure.py", "import os, sys\n", "E401"),
    ("python", "scripts/measure.py", "faulty = {  }\n", "-faulty = {  }"),
    ("python", "scripts/measure.py", "faulty: int = ROOT\n", "Incompatible types"),
    # Without an ending, too.
    ("python", "scripts/check-dependencies", "import os, sys\n", "E401"),
    ("docker", "Dockerfile", "RUN sudo true\n", "DL3004"),
    # A warning or less fails, too.
    ("docker", "Dockerfile", "RUN echo `date`\n", "SC2006"),
    (
        "sql",
        "dbt/models/marts/faulty.sql",
        "SELECT customer_id from {{ ref('dim_customers') }}\n",
        "CP01",
    ),
    (
        "sql",
        "dbt/models/marts/faulty.sql",
        "select 1 as one from {{ ref('no_such_model') }}\n",
        "no_such_model",
    ),
    # A team's project beside the sample, by rules of its own.
    ("sql", "warehouse/models/faulty.sql", "SELECT 1 as one\n", "CP01"),
    # Taken by DuckDB, which compiles it, and not by the warehouse.
    (
        "sql",
        "dbt/models/marts/faulty.sql",
        "select one from range(3) as numbers(one) positional join range(3) as others(two)\n",
        "PRS",
    ),
    ("yaml", "dbt/models/faulty.yml", "models: []\nmodels: []\n", "key-duplicates"),
    ("workflows", NEW_WORKFLOW, WORKFLOW % "run: echo ${{ steps.none.outputs.x }}", "expression"),
    ("workflows", NEW_WORKFLOW, WORKFLOW % "run: rm -r $1/*", "SC2086"),
    ("workflows", NEW_WORKFLOW, WORKFLOW % "uses: actions/checkout@v7", "unpinned-uses"),
    ("workflows", ".github/dependabot.yml", "colour: blue\n", "colour"),
    ("terraform", "deploy/terraform/faulty.tf", "locals {\n  a = 1\n  bcd = 2\n}\n", "faulty.tf"),
]


class Linters(unittest.TestCase):
    copy: pathlib.Path

    @classmethod
    def setUpClass(cls):
        cls.copy = pathlib.Path(tempfile.mkdtemp(prefix="linters-"))
        cls.addClassCleanup(shutil.rmtree, cls.copy)
        files = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for name in filter(None, files.split("\0")):
            if (ROOT / name).is_file():
                (cls.copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, cls.copy / name)
        shutil.copytree(cls.copy / "dbt", cls.copy / "warehouse")
        (cls.copy / "warehouse/.sqlfluff").write_text(WAREHOUSE)
        for environment in (".venv", ".venv-lint"):
            (cls.copy / environment).symlink_to(ROOT / environment)
        (cls.copy / ".git/info").mkdir(parents=True)
        subprocess.run(["git", "init", "--quiet"], cwd=cls.copy, check=True)
        # As links they are not directories, which is what .gitignore names them by.
        (cls.copy / ".git/info/exclude").write_text(".venv\n.venv-lint\n")
        subprocess.run(["git", "add", "--all"], cwd=cls.copy, check=True)

    def lint(self, linter):
        # Colours would stand between the words.
        environment = os.environ | {"NO_COLOR": "1", "CLICOLOR": "0"}
        return subprocess.run(
            ["scripts/lint", linter],
            cwd=self.copy,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def test_the_project_as_it_is(self):
        for linter in dict.fromkeys(fault[0] for fault in FAULTS):
            with self.subTest(linter):
                result = self.lint(linter)
                self.assertEqual(result.returncode, 0, result.stdout)

    def test_seeded_faults(self):
        for linter, name, text, message in FAULTS:
            with self.subTest(f"{linter}: {text}"):
                file = self.copy / name
                before = file.read_text() if file.exists() else None
                file.write_text((before or "") + text)
                try:
                    result = self.lint(linter)
                finally:
                    if before is None:
                        file.unlink()
                    else:
                        file.write_text(before)
                self.assertNotIn(result.returncode, (0, 75, 127), result.stdout)
                self.assertIn(message, result.stdout)

    def test_what_it_does_not_know(self):
        self.assertEqual(self.lint("none").returncode, 2)


if __name__ == "__main__":
    unittest.main()
