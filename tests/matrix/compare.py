"""Owns what is compared of a run, and what of it is never the same twice."""

from __future__ import annotations

import difflib
import json
import pathlib
import re
import subprocess
from collections.abc import Iterator
from typing import Any

#: Keys of artifacts whose values are times and numbers of one run, and by which engine it was.
OF_ONE_RUN = {
    "completed_at",
    "created_at",
    "elapsed_time",
    "engine",
    "execution_time",
    "fingerprint",
    "generated_at",
    "invocation_id",
    "invocation_started_at",
    "max_loaded_at_time_ago_in_s",
    "run_started_at",
    "snapshotted_at",
    "started",
    "started_at",
    "timing",
    "user_id",
}
#: What is never the same in a text: times of day, durations, ids, colours.
IN_TEXTS = [
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b\d{8}T\d{6}Z-[0-9a-f]{8}\b"), "<run>"),
    (re.compile(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "<time>"),
    (re.compile(r"\b\d+(\.\d+)? ?(s|seconds|minutes)\b"), "<time>"),
    (re.compile(r"\b0x[0-9a-f]{6,}\b"), "<address>"),
    (re.compile(r'"seconds":[0-9.]+'), '"seconds":0'),
    (re.compile(r'"engine":"\w+"'), '"engine":""'),
    # As many as the longest time and the longest name are wide.
    (re.compile(r"\.{3,}"), "…"),
    (re.compile(r"\x20{2,}"), " "),
]
#: The runner's own words about the engine are what differs, with those about what only the session
#: tells; pages and the history are made of times.
OF_THE_RUNNER = re.compile(r"\bengine: |this dbt tells nothing of its nodes")
FILES_OF_THE_RUNNER = re.compile(
    r"/(runs/(.*/)?index\.html|nodes\.ndjson|run\.html|history\.json)$"
)
#: Reads all tables, with the DuckDB that dbt has.
TABLES = """
import duckdb, json, sys
tables = {}
with duckdb.connect(sys.argv[1], read_only=True) as database:
    names = database.execute(
        "select table_schema, table_name, table_type from information_schema.tables"
        " order by all").fetchall()
    for schema, name, kind in names:
        try:
            result = database.execute(f'select * from "{schema}"."{name}" order by all')
            columns = [[column[0], str(column[1])] for column in result.description]
            rows = [[str(value) for value in row] for row in result.fetchall()]
        except duckdb.Error as error:
            columns, rows = [], [str(error)]
        tables[f"{schema}.{name}"] = {"kind": kind, "columns": columns, "rows": rows}
json.dump(tables, sys.stdout)
"""


def normalized(text: str) -> str:
    for pattern, replacement in IN_TEXTS:
        text = pattern.sub(replacement, text)
    return text


def lines(output: bytes) -> list[str]:
    text = output.decode(errors="backslashreplace")
    return [normalized(line) for line in text.splitlines() if not OF_THE_RUNNER.search(line)]


def of_artifact(value: Any) -> Any:
    """The same, with its order, without what belongs to one run."""
    if isinstance(value, dict):
        return {
            normalized(key): "<of one run>" if key in OF_ONE_RUN else of_artifact(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [of_artifact(inner) for inner in value]
    return normalized(value) if isinstance(value, str) else value


def facts(project: pathlib.Path, ledger: pathlib.Path, python: pathlib.Path) -> dict[str, object]:
    """By name: all that a run has left behind."""
    found: dict[str, Any] = {}
    for folder, place in (("target", project / "target"), ("ledger", ledger)):
        for file in sorted(path for path in place.rglob("*") if path.is_file()):
            name = normalized(f"{folder}/{file.relative_to(place)}")
            if FILES_OF_THE_RUNNER.search(name):
                continue
            if file.suffix == ".json":
                found[name] = of_artifact(json.loads(file.read_text()))
                if file.name == "sources.json":
                    # In the order in which threads come to an end.
                    found[name]["results"].sort(key=lambda result: result["unique_id"])
            elif file.suffix in (".sql", ".csv", ".py"):
                found[name] = normalized(file.read_text()).splitlines()
            else:
                found[name] = "is there"
    database = project / "matrix.duckdb"
    if database.exists():
        said = subprocess.run([python, "-c", TABLES, database], capture_output=True, check=True)
        found["tables"] = of_artifact(json.loads(said.stdout))
    return found


def differences(one: object, other: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Where two facts differ, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            inner = f"{place} › {key}" if place else key
            if key not in one or key not in other:
                which = "only with the session" if key in other else "only with processes"
                yield inner, which
            else:
                yield from differences(one[key], other[key], inner)
        if set(one) == set(other) and list(one) != list(other):
            yield place, f"in another order: {list(one)} and {list(other)}"[:400]
    elif isinstance(one, list) and isinstance(other, list) and one != other:
        left, right = ([json.dumps(entry) for entry in side] for side in (one, other))
        changes = difflib.unified_diff(left, right, "process", "session", n=1, lineterm="")
        yield place, "\n".join(changes)
    elif one != other:
        yield place, f"{one!r} and {other!r}"
