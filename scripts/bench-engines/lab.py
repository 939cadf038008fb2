"""Everything that a run needs around it, and the runs: five ways to do the same six steps.

A run finds the project as a container finds it in its image: no target/, no logs/, no packages. The
warehouse keeps what the run before it built, as warehouses do.
"""

import json
import os
import pathlib
import shutil
import sys

import group
import projects
import servers

ROOT = servers.ROOT
VENV = pathlib.Path(sys.executable).parent
SCRIPT = pathlib.Path(__file__).resolve().parent / "script" / "entrypoint.sh"
CONTENDERS = {
    "script": "shell script",
    "process": "process engine",
    "session": "session engine",
    "cached": "session engine, parse cache",
    "native": "native engine (dbt 2)",
}
OPTIONS = {
    "process": ["--engine", "process"],
    "session": ["--engine", "session", "--parse-cache", "off"],
    "cached": ["--engine", "session", "--parse-cache", "on"],
    "native": ["--engine", "native", "--publish", "always"],
}
LIMITS = {"none": group.Limit(), "half": group.Limit(cpus=0.5, memory=1 << 30)}
# What shows that a run was whole.
PUBLISHED = {"manifest.json", "catalog.json", "index.html", "run_results.json", "sources.json"}
STEPS = ["success"] * 6
# The dbt 2 that can be had checks no source and makes no page: docs/dbt2.md.
LACKING = {"index.html", "sources.json"}
STEPS_OF_DBT_2 = [*["success"] * 4, "warned", "failed"]
DBT_2 = ROOT / ".venv-dbt2"


class Lab:
    def __init__(self, runner: pathlib.Path, work: pathlib.Path):
        self.runner, self.work = runner, work
        (work / "home").mkdir()
        self.aws = servers.Aws(work)
        self._redshift: servers.Redshift | None = None

    @property
    def redshift(self) -> servers.Redshift:
        self._redshift = self._redshift or servers.Redshift(self.work)
        return self._redshift

    def stop(self) -> None:
        for server in filter(None, [self._redshift, self.aws]):
            server.stop()


def closing_line(log: str) -> dict:
    """The runner's last line on stdout, which its own log on stderr may follow here."""
    return json.loads(
        next(line for line in reversed(log.splitlines()) if line.startswith('{"status"'))
    )


class Case:
    """A project on a warehouse."""

    def __init__(self, lab: Lab, project: str, warehouse: str):
        self.lab, self.name = lab, f"bench_{project}_{warehouse}"
        self.template, self.directory = lab.work / f"{self.name}_image", lab.work / self.name
        sql = ""
        if project == "sample":
            shutil.copytree(
                ROOT / "dbt",
                self.template,
                ignore=shutil.ignore_patterns("target", "logs", "dbt_packages", "*.duckdb"),
            )
        else:
            made = projects.Project(int(project))
            made.write(self.template, ROOT / "dbt" / "profiles.yml")
            sql = made.raw()
        self.environment = {
            **lab.aws.environment,
            "PATH": f"{VENV}:{os.environ['PATH']}",
            "HOME": str(lab.work / "home"),
            "LANG": "C.UTF-8",
            "ENV": "dev",
            "GLUE_CONNECTION": self.name,
            "DBT_ENTRYPOINT_CREDENTIALS": f"glue:{self.name}",
            "DBT_PROJECT_DIR": str(self.directory),
            "DBT_REDSHIFT_SCHEMA": "analytics",
            "DBT_TARGET": warehouse,
        }
        # What dbt 2 has otherwise.
        self.native = {
            "PATH": f"{DBT_2 / 'bin'}:{self.environment['PATH']}",
            "ADBC_DRIVER_PATH": str(DBT_2 / "drivers"),
            "XDG_CACHE_HOME": str(DBT_2 / "drivers" / "cache"),
        }
        if warehouse == "duckdb":
            # Beside the project, which each run gets anew.
            database = lab.work / f"{self.name}.duckdb"
            self.environment["DBT_DUCKDB_PATH"] = str(database)
            servers.duckdb_database(database, sql)
            # One of its own, since neither DuckDB reads what a newer one wrote.
            self.native["DBT_DUCKDB_PATH"] = str(database.with_name(f"{self.name}_native.duckdb"))
            shutil.copyfile(database, self.native["DBT_DUCKDB_PATH"])
            lab.aws.connection(self.name, servers.Login())
        else:
            self.environment["DBT_REDSHIFT_SSLMODE"] = "disable"
            lab.redshift.database(self.name, sql)
            lab.aws.connection(self.name, lab.redshift)

    def run(self, contender: str, limit: str, first: bool = False) -> group.Used:
        """`first`: there is nothing in the parse cache yet."""
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.copytree(self.template, self.directory)
        name = f"{self.name}-{contender}"
        command = (
            [str(SCRIPT)]
            if contender == "script"
            else [str(self.lab.runner), "run", *OPTIONS[contender]]
        )
        log = self.lab.work / f"{name}.log"
        environment = {**self.environment, "PROJECT_NAME": name}
        if contender == "native":
            environment.update(self.native)
        with group.Group(LIMITS[limit]) as place:
            used = place.run(command, environment, self.lab.work, log)
        if used.code != (74 if contender == "native" else 0):
            raise SystemExit(
                f"{name}, limit {limit}: ended with {used.code}:\n"
                f"{log.read_text(errors='replace')[-5000:]}"
            )
        self.check(contender, name, log.read_text(errors="replace"), first)
        return used

    def check(self, contender: str, name: str, log: str, first: bool) -> None:
        """A run that left something out, or took a wrong path, is not a measurement."""
        is_native = contender == "native"
        due = PUBLISHED - LACKING if is_native else PUBLISHED
        missing = due - self.lab.aws.published(name)
        if missing:
            raise SystemExit(f"{name}: not published: {', '.join(sorted(missing))}")
        if contender == "script":
            return
        steps = closing_line(log)["steps"]
        expected = STEPS_OF_DBT_2 if is_native else STEPS
        if [step["status"] for step in steps] != expected:
            raise SystemExit(f"{name}: not all six steps ran: {steps}")
        for words, wanted in [
            ("engine: session", contender in ("session", "cached")),
            ("engine: process", contender == "process"),
            ("engine: native", is_native),
            ("restored the saved parse", contender == "cached" and not first),
        ]:
            if (words in log) != wanted:
                raise SystemExit(
                    f"{name}: {words!r} should{'' if wanted else ' not'} be in the log:\n"
                    f"{log[-5000:]}"
                )
