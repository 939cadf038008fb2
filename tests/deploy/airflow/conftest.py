"""What every test gets: a local AWS whose ECS runs containers, and an Airflow of its own."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from support import airflow, aws
from support.settings import GOOD
from support.slack import Webhook

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """One local AWS for all tests of this process."""
    folder = tmp_path_factory.mktemp("lab")
    log = folder / "server.log"
    server = pathlib.Path(__file__).parent / "lab" / "server.py"
    command = [ROOT / ".venv/bin/python", server, "--dir", folder, "--owner", str(os.getpid())]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    ready = folder / "ready.json"
    deadline = time.monotonic() + 90
    while not ready.exists():
        assert process.poll() is None, (
            f"the local AWS ended before it was ready:\n{log.read_text()}"
        )
        assert time.monotonic() < deadline, (
            f"the local AWS was not ready after 90 s:\n{log.read_text()}"
        )
        time.sleep(0.1)
    addresses = json.loads(ready.read_text())
    yield aws.Lab(
        endpoint=addresses["endpoint"],
        credentials=addresses["credentials"],
        events_file=folder / "events.jsonl",
    )
    process.terminate()
    process.wait()


@pytest.fixture(scope="session")
def home_template(tmp_path_factory):
    """An Airflow home with a migrated database. Made once for each installed Airflow: the migration
    takes ten seconds.
    """
    kept = pathlib.Path(sys.prefix) / "home-template"
    if not (kept / "airflow.db").exists():
        # Several processes may get here at once: each makes its own, and the first to be done is
        # kept.
        made = tmp_path_factory.mktemp("home-template")
        airflow.migrate(made)
        try:
            made.rename(kept)
        except OSError:
            shutil.rmtree(made)
    return kept


@pytest.fixture(scope="session")
def dag_file(tmp_path_factory):
    """The package as one file, as it lies in a bucket of DAGs."""
    file = tmp_path_factory.mktemp("dag") / "dbt_ecs.py"
    subprocess.run([sys.executable, ROOT / "deploy/airflow/single-file", file], check=True)
    return file


@pytest.fixture
def project(request, lab, tmp_path):
    """A dbt project of this test's own on the local ECS, with the fake dbt unless the test says
    otherwise.
    """
    name = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_")).strip("-")[:60]
    return aws.Project(lab=lab, name=name, folder=tmp_path / "project", root=ROOT)


@pytest.fixture
def scheduler(lab, tmp_path, home_template, dag_file):
    """An Airflow of this test's own."""
    one = airflow.Airflow(
        template=home_template, home=tmp_path / "airflow", lab=lab, dag_file=dag_file
    )
    yield one
    one.end()


@pytest.fixture
def slack(scheduler):
    """A Slack that this Airflow has a connection to."""
    webhook = Webhook()
    scheduler.connect("slack_dbt", **webhook.connection())
    yield webhook
    webhook.close()


@pytest.fixture
def connect(monkeypatch):
    """Makes Airflow connections for the test's own process."""

    def make(connection_id, **fields):
        monkeypatch.setenv(f"AIRFLOW_CONN_{connection_id.upper()}", json.dumps(fields))

    return make


@pytest.fixture(scope="session")
def dbt_ecs(tmp_path_factory, dag_file):
    """The DAG file as a module of the test's own process, for what needs no run. It is loaded with
    settings that make one DAG.
    """
    home = tmp_path_factory.mktemp("home")
    os.environ.update(airflow.environment(home) | {"AIRFLOW_VAR_DBT_ECS": json.dumps(GOOD)})
    # Not from sys.path, for there is no package around it.
    spec = spec_from_file_location("dbt_ecs", dag_file)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
