"""The package in DAGs of one's own: installed as a wheel, beside other tasks."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parents[3]
DOCS = "https://docs.example.com/shop/"
BUTTONS = {"CloudWatch Events", "Docs", "Page of the run"}

OWN_DAG = """
import pendulum
from dbt_entrypoint_airflow import dbt_run, dbt_task_group, settings_of

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
try:
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:
    from airflow.operators.python import PythonOperator

with DAG("own", schedule=None, start_date=pendulum.datetime(2024, 1, 1)):
    settings = settings_of({project!r}, "dev")
    ingest = PythonOperator(task_id="ingest", python_callable=lambda: print("ingested"))
    parts = dbt_task_group(settings, {{
        "build": {{"steps": ["run"], "select": "orders+", "vars": {{"day": "2026-01-01"}}}},
        "docs": {{"steps": ["test"]}},
    }})
    more = dbt_run(settings, task_id="more", values={{"steps": ["run"]}})
    export = PythonOperator(task_id="export", python_callable=lambda: print("exported"))
    ingest >> parts >> more >> export
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    # A build leaves things beside the sources.
    sources = folder / "sources"
    shutil.copytree(ROOT / "deploy/airflow", sources)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"),
            *("--no-build-isolation", "--wheel-dir", folder, sources),
        ],
        env=os.environ | {"PIP_NO_CACHE_DIR": "1"},
        check=True,
    )
    (file,) = folder.glob("*.whl")
    return file


def test_the_wheel_holds_the_package(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}
    sources = ROOT / "deploy/airflow"
    assert names == {str(path.relative_to(sources)) for path in sources.rglob("*.py")}
    version = re.search(r'(?m)^version = "(.*)"', (ROOT / "Cargo.toml").read_text())[1]
    assert wheel.name == f"dbt_entrypoint_airflow-{version}-py3-none-any.whl"


def test_a_dag_of_ones_own(wheel, scheduler, project):
    """ingest, dbt in two parts, once more, export: each in its turn, told what it was given."""
    packages = scheduler.home / "packages"
    zipfile.ZipFile(wheel).extractall(packages)
    scheduler.environment["PYTHONPATH"] = str(packages)
    scheduler.set_variable({"one": project.settings(docs_url=DOCS)})
    (scheduler.home / "dags/own.py").write_text(OWN_DAG.format(project=project.name))
    status, output = scheduler.command("dags", "test", "own", "2026-01-01T00:00:00+00:00")
    assert status == 0, output
    states = scheduler.query("select task_id, state from task_instance where dag_id = 'own'")
    tasks = ("ingest", "dbt.build", "dbt.docs", "more", "export")
    assert dict(states) == dict.fromkeys(tasks, "success"), output
    calls = project.calls()
    assert [call["step"] for call in calls] == ["run", "test", "run"]
    assert "orders+" in " ".join(calls[0]["args"])
    assert '{"day": "2026-01-01"}' in calls[0]["args"] or "2026-01-01" in str(calls[0]["args"])
    assert "orders+" not in str(calls[2]["args"])
    assert len(project.tasks()) == 3
    # The wheel registers its buttons, so that Airflow 2 shows them, too.
    assert scheduler.buttons("own", "more").keys() == BUTTONS
    assert scheduler.buttons("own", "more")["Docs"] == DOCS


def test_the_templates_dag_beside_the_module(scheduler, project):
    """As scripts/deploy copies both to a bucket of DAGs."""
    dags = scheduler.home / "dags"
    (dags / "dbt_ecs.py").unlink()
    shutil.copy(ROOT / "deploy/consumer/dags/dbt.py", dags)
    module = dags / "dbt_entrypoint_airflow.py"
    subprocess.run(
        [sys.executable, ROOT / "deploy/airflow/single-file", "--module", module], check=True
    )
    output = scheduler.run(project.settings())
    assert scheduler.state() == ("success", 1), output


@pytest.mark.parametrize(
    ("values", "message"),
    [({"selct": "x"}, "values: there is no selct"), ({"steps": ["drop"]}, "'drop' is not one of")],
)
def test_values_are_held_to_the_rules_of_params(dbt_ecs, values, message):
    (settings,), _ = dbt_ecs.load_settings(dbt_ecs.read_variable())
    task = dbt_ecs.dbt_run(settings, values=values)
    with pytest.raises(Exception, match=message):
        task.told({})


def test_settings_of_one_environment(dbt_ecs):
    assert dbt_ecs.settings_of("shop", "live")["cluster"] == "analytics"
    with pytest.raises(dbt_ecs.SettingsError, match="no entry with the project shop and env dev"):
        dbt_ecs.settings_of("shop", "dev")


def test_a_schedule_of_assets(dbt_ecs):
    try:
        from airflow.sdk import Asset
    except ImportError:
        from airflow.datasets import Dataset as Asset
    (dag,) = dbt_ecs.build_dags(schedule=[Asset("s3://landing/orders")])
    assert "Asset" in type(dag.timetable).__name__ or "Dataset" in type(dag.timetable).__name__


def test_deferrable_is_refused(dbt_ecs):
    """Its container would go on when somebody ends the task."""
    with pytest.raises(Exception, match=r"deferrable: .* Leave deferrable out"):
        dbt_ecs.DbtRun(
            task_id="dbt",
            cluster="lab",
            task_definition="shop",
            container_name="dbt",
            role_arn=None,
            deadline_seconds=60,
            stop_timeout_seconds=30,
            deferrable=True,
        )
