"""An Airflow with a home of its own, used by its command line, as a person does."""

import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys

# Far longer than any run here takes.
PATIENCE = 240
PROGRAM = pathlib.Path(sys.prefix) / "bin/airflow"
DATE = "2026-01-01T00:00:00+00:00"


def environment(home):
    """Nothing of the machine's own Airflow or AWS settings."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        # Relative to the home would be a template's home: four slashes and an absolute path.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "NO_PROXY": "127.0.0.1",
    }


def migrate(home):
    (home / "dags").mkdir()
    subprocess.run([PROGRAM, "db", "migrate"], env=environment(home), check=True, capture_output=True, timeout=PATIENCE)


class Airflow:
    def __init__(self, *, home, lab, dag_file, project):
        self.home, self.project, self.processes = home, project, []
        shutil.copy(dag_file, home / "dags")
        self.environment = environment(home) | {
            "AWS_ENDPOINT_URL": lab.endpoint,
            # Whoever Airflow is by itself: an instance profile, say. It may only assume the role.
            "AWS_ACCESS_KEY_ID": "worker",
            "AWS_SECRET_ACCESS_KEY": "worker",
        }
        self.connect("aws_dbt", conn_type="aws", extra={"role_arn": project.role, "region_name": "eu-west-1"})

    def connect(self, connection_id, **fields):
        self.environment[f"AIRFLOW_CONN_{connection_id.upper()}"] = json.dumps(fields)

    def disconnect(self, connection_id):
        del self.environment[f"AIRFLOW_CONN_{connection_id.upper()}"]

    def set_variable(self, value):
        self.environment["AIRFLOW_VAR_DBT_ECS"] = value if isinstance(value, str) else json.dumps(value)

    def command(self, *arguments):
        """A command's status, and stdout and stderr together."""
        done = subprocess.run(
            [PROGRAM, *arguments], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE
        )
        return done.returncode, done.stdout

    def start(self, settings, params=None, date=DATE):
        """Begin `airflow dags test`, which runs the DAG to its end and prints the task's log."""
        self.set_variable(settings)
        conf = ["--conf", json.dumps(params)] if params else []
        output = (self.home / f"run-{len(self.processes)}.log").open("w+")
        process = subprocess.Popen(
            [PROGRAM, "dags", "test", *conf, f"dbt_{settings['project']}_{settings['env']}", date],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.processes.append(process)
        return process, pathlib.Path(output.name)

    def run(self, settings, params=None, date=DATE):
        """`airflow dags test` to its end; returns what it printed."""
        process, output = self.start(settings, params, date)
        process.wait(PATIENCE)
        return output.read_text()

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def query(self, sql):
        with sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True, timeout=30) as database:
            return database.execute(sql).fetchall()

    def state(self):
        """The state of the one task, and the number of its last try."""
        rows = self.query("select state, try_number from task_instance")
        assert len(rows) == 1, rows
        return rows[0]

    def xcom(self, key="return_value"):
        rows = self.query(f"select value from xcom where key = '{key}'")  # noqa: S608 - keys of this test
        value = rows[0][0] if rows else None
        # Once by Airflow, and once more by the database of Airflow 3.
        while isinstance(value, (str, bytes)) and value[:1] in ('"', b'"', "{", b"{"):
            value = json.loads(value)
        return value
