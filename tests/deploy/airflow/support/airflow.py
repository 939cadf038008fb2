"""An Airflow with a home of its own, used by its command line, as a person does."""

import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
from importlib.metadata import version

from support.aws import SERVICE_ROLE

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
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        # Relative to the home would be a template's home: four slashes and an absolute path.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "NO_PROXY": "127.0.0.1",
    }


def migrate(home):
    (home / "dags").mkdir()
    subprocess.run(
        [PROGRAM, "db", "migrate"],
        env=environment(home),
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )


class Airflow:
    is_airflow_3 = version("apache-airflow") >= "3"

    def __init__(self, *, template, home, lab, dag_file):
        self.home, self.processes = home, []
        # Without the file that Airflow wrote there: it has the template's paths in it.
        shutil.copytree(template, home, ignore=shutil.ignore_patterns("airflow.cfg", "logs"))
        shutil.copy(dag_file, home / "dags")
        self.environment = environment(home) | {
            "AWS_ENDPOINT_URL": lab.endpoint,
            # Whoever Airflow is by itself: an instance profile, say. It may only assume the role.
            "AWS_ACCESS_KEY_ID": "worker",
            "AWS_SECRET_ACCESS_KEY": "worker",
        }
        self.connect(
            "aws_dbt", conn_type="aws", extra={"role_arn": SERVICE_ROLE, "region_name": "eu-west-1"}
        )

    def connect(self, connection_id, **fields):
        self.environment[f"AIRFLOW_CONN_{connection_id.upper()}"] = json.dumps(fields)

    def disconnect(self, connection_id):
        del self.environment[f"AIRFLOW_CONN_{connection_id.upper()}"]

    def set_variable(self, value):
        self.environment["AIRFLOW_VAR_DBT_ECS"] = (
            value if isinstance(value, str) else json.dumps(value)
        )

    def command(self, *arguments):
        """A command's status, and stdout and stderr together."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
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

    def run_all(self, settings, variable=None):
        """Every DAG of these settings once, by the same means as `run`, but in one process; returns
        what was printed for each.
        """
        self.set_variable(variable or settings)
        ids = [f"dbt_{entry['project']}_{entry['env']}" for entry in settings.values()]
        done = subprocess.run(
            [sys.executable, pathlib.Path(__file__).parents[1] / "run_all.py", *ids],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE + 30 * len(ids),
        )
        chunks = done.stdout.split("\n=== ")[1:]
        assert [chunk.partition("\n")[0] for chunk in chunks] == ids, done.stdout
        return dict(zip(ids, chunks))

    def buttons(self, dag_id, task_id="dbt"):
        """The buttons beside the task's last try, as the webserver shows them."""
        done = subprocess.run(
            [sys.executable, pathlib.Path(__file__).parents[1] / "buttons.py", dag_id, task_id],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stdout
        assert "not registered" not in done.stdout
        return json.loads(done.stdout.splitlines()[-1])

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def query(self, sql, *values):
        with sqlite3.connect(
            f"file:{self.home}/airflow.db?mode=ro", uri=True, timeout=30
        ) as database:
            return database.execute(sql, values).fetchall()

    def state(self, dag_id="%"):
        """The state of the one task, and the number of its last try."""
        rows = self.query("select state, try_number from task_instance where dag_id like ?", dag_id)
        assert len(rows) == 1, rows
        return rows[0]

    def xcom(self, dag_id="%", key="return_value"):
        rows = self.query("select value from xcom where dag_id like ? and key = ?", dag_id, key)
        value = rows[0][0] if rows else None
        # Once by Airflow, and once more by the database of Airflow 3.
        while isinstance(value, (str, bytes)) and value[:1] in ('"', b'"', "{", b"{"):
            value = json.loads(value)
        return value
