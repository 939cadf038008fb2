"""Runs each project in each version of dbt with both engines, and compares all that it leaves.

    python3 tests/matrix                                # the usual versions
    python3 tests/matrix --versions all --keep          # all, and keep the folders
    python3 tests/matrix --versions 1.8 --projects shapes

The environments come from the locks in scripts/requirements/ and go to target/matrix/. The runner
is DBT_ENTRYPOINT_BIN, else target/debug/dbt-entrypoint. Ends with 75 where a version cannot be
tried here for want of a Python.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import compare
import environments

HERE = pathlib.Path(__file__).resolve().parent
ROOT = environments.ROOT
#: Beside those in projects/.
SAMPLE = "sample"
PROJECTS = [SAMPLE, *sorted(path.name for path in (HERE / "projects").iterdir())]
CANNOT_RUN = 75
MODELS_WITH_TESTS = 40


@dataclasses.dataclass
class Cell:
    version: str
    project: str
    dbt: pathlib.Path
    folder: pathlib.Path
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)

    def compared(self) -> list[str]:
        """What differs, and is the same whenever it is done with processes."""
        process, session = self.run("process"), self.run("session")
        found = dict(compare.differences(process, session))
        if found:
            again = dict(compare.differences(process, self.run("process")))
            # dbt's own: a set that is written as it comes, say.
            found = {place: how for place, how in found.items() if place not in again}
        return [f"{place}\n{how}" for place, how in found.items()]

    def run(self, engine: str) -> dict[str, object]:
        # Always the same paths, since they are in the output.
        shutil.rmtree(self.folder, ignore_errors=True)
        project, ledger = self.folder / "project", self.folder / "published"
        copy(self.project, project)
        home = self.folder / "home"
        home.mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(project / "plugins"),
            # dbt reads the folders of a project in the order of a set.
            "PYTHONHASHSEED": "0",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_VERSION_CHECK": "false",
            "DBT_DUCKDB_PATH": str(project / "matrix.duckdb"),
            "DBT_ENTRYPOINT_PARSE_CACHE": "off",
            "DBT_ENTRYPOINT_LOG": "warn,dbt_entrypoint=info",
            "MATRIX_PLAIN": "plain",
        }
        runner = os.environ.get("DBT_ENTRYPOINT_BIN", ROOT / "target/debug/dbt-entrypoint")
        command = [
            str(runner),
            "run",
            f"--engine={engine}",
            f"--dbt={self.dbt}",
            "--env=local",
            "--credentials=none",
            "--publish=always",
            f"--destination=file://{ledger}",
        ]
        if self.project == SAMPLE:
            command += ["--target=duckdb", "--threads=1"]
        start = time.monotonic()
        done = subprocess.run(
            command, cwd=project, env=environment, stdin=subprocess.DEVNULL, capture_output=True
        )
        self.seconds[engine] = time.monotonic() - start
        engines = [line for line in done.stderr.decode().splitlines() if "engine: " in line]
        if not any(f"engine: {engine}" in line for line in engines):
            raise RuntimeError(f"not with the engine {engine}: {done.stderr.decode()[-2000:]}")
        return {
            "exit code": done.returncode,
            "stdout": compare.lines(done.stdout),
            "stderr": compare.lines(done.stderr),
            # It says it once, and then goes on with processes.
            "the engine was kept": not any("from here on" in line for line in engines),
            **compare.facts(project, ledger, self.dbt.with_name("python")),
        }


def copy(name: str, place: pathlib.Path) -> None:
    source = ROOT / "dbt" if name == SAMPLE else HERE / "projects" / name
    ignored = shutil.ignore_patterns("target", "logs", "dbt_packages", "__pycache__", "*.duckdb")
    shutil.copytree(source, place, ignore=ignored)
    if name == "modern":
        many_tests(place / "models/many")


def many_tests(place: pathlib.Path) -> None:
    """Hundreds of generic tests, as a project has that tests every column."""
    place.mkdir()
    described = ["models:"]
    for number in range(MODELS_WITH_TESTS):
        (place / f"many_{number}.sql").write_text("select id, amount from {{ ref('events') }}\n")
        described += [
            f"  - name: many_{number}",
            "    columns:",
            "      - {name: id, data_tests: [unique, not_null]}",
            "      - name: amount",
            "        data_tests:",
            "          - not_null",
            "          - accepted_values: {arguments: {values: [10, 20, 30], quote: false}}",
            "          - relationships: {arguments: {to: ref('events'), field: amount}}",
        ]
    (place / "many.yml").write_text("\n".join(described) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--versions", default=",".join(environments.USUAL))
    parser.add_argument("--projects", default=",".join(PROJECTS))
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", action="store_true", help="leave the folders of the last runs")
    asked = parser.parse_args()
    names = asked.versions.split(",")
    if names == ["all"]:
        names = [name for name in environments.VERSIONS if name != "newest"]
    unknown = {*names} - {*environments.VERSIONS} | {*asked.projects.split(",")} - {*PROJECTS}
    if unknown:
        parser.error(f"nobody knows {', '.join(sorted(unknown))}")
    work = pathlib.Path(tempfile.mkdtemp(prefix="matrix-"))
    try:
        return judge(names, asked.projects.split(","), asked.at_once, work)
    finally:
        if asked.keep:
            print(f"the folders are in {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)


def judge(names: list[str], projects: list[str], at_once: int, work: pathlib.Path) -> int:
    cells, missing = [], []
    for name in names:
        try:
            dbt = environments.prepare(environments.VERSIONS[name])
        except environments.Missing as error:
            missing.append(str(error))
            continue
        cells += [Cell(name, project, dbt, work / f"{name}-{project}") for project in projects]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        futures = {pool.submit(cell.compared): cell for cell in cells}
        for future in concurrent.futures.as_completed(futures):
            cell = futures[future]
            try:
                faults = future.result()
            except Exception as error:
                faults = [f"{type(error).__name__}: {error}"]
            failed += bool(faults)
            times = ", ".join(f"{engine} {s:.0f} s" for engine, s in cell.seconds.items())
            print(
                f"{cell.version:>6} {cell.project:<11} {'FAILED' if faults else 'same':<7}{times}"
            )
            for fault in faults:
                print("    " + fault.replace("\n", "\n    "))
            sys.stdout.flush()
    for reason in missing:
        print(f"not tried: {reason}")
    print(f"{len(cells) - failed} passed, {failed} failed, {len(missing)} skipped")
    if failed:
        return 1
    return CANNOT_RUN if missing or not cells else 0


if __name__ == "__main__":
    sys.exit(main())
