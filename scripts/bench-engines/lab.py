"""Everything that a run needs around it, and the runs: four ways to do the same six steps.

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
}
OPTIONS = {
    "process": ["--engine", "process"],
    "session": ["--engine", "session", "--parse-cache", "off"],
    "cached": ["--engine", "session", "--parse-cache", "on"],
}
LIMITS = {"none": group.Limit(), "half": group.Limit(cpus=0.5, memory=1 << 30)}
# What shows that a run was whole.
PUBLISHED = {"manifest.json", "catalog.json", "index.html", "run_results.json", "sources.json"}


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
        if warehouse == "duckdb":
            # Beside the project, which each run gets anew.
            database = lab.work / f"{self.name}.duckdb"
            self.environment["DBT_DUCKDB_PATH"] = str(database)
            servers.duckdb_database(database, sql)
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
        with group.Group(LIMITS[limit]) as place:
            used = place.run(
                command, {**self.environment, "PROJECT_NAME": name}, self.lab.work, log
            )
        if used.code != 0:
            raise SystemExit(
                f"{name}, limit {limit}: ended with {used.code}:\n"
                f"{log.read_text(errors='replace')[-5000:]}"
            )
        self.check(contender, name, log.read_text(errors="replace"), first)
        return used

    def check(self, contender: str, name: str, log: str, first: bool) -> None:
        """A run that left something out, or took a wrong path, is not a measurement."""
        missing = PUBLISHED - self.lab.aws.published(name)
        if missing:
            raise SystemExit(f"{name}: not published: {', '.join(sorted(missing))}")
        if contender == "script":
            return
        steps = closing_line(log)["steps"]
        if [step["status"] for step in steps] != ["success"] * 6:
            raise SystemExit(f"{name}: not all six steps ran: {steps}")
        for words, wanted in [
            ("engine: session", contender != "process"),
            ("engine: process", contender == "process"),
            ("restored the saved parse", contender == "cached" and not first),
        ]:
            if (words in log) != wanted:
                raise SystemExit(
                    f"{name}: {words!r} should{'' if wanted else ' not'} be in the log:\n"
                    f"{log[-5000:]}"
                )
