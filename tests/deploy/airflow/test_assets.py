"""Models that are built update assets, if that is asked for."""

import types

import pytest
from conftest import ROOT
from support import airflow, aws

CONSUMER = """
import pendulum
try:
    from airflow.sdk import DAG, Asset
except ImportError:
    from airflow import DAG
    from airflow.datasets import Dataset as Asset

with DAG("consumer", schedule=[Asset("dbt://built/dev/model.shop.orders")],
         start_date=pendulum.datetime(2024, 1, 1)):
    pass
"""
# By its name, what the steps of a project say.
SCRIPTS = {
    "built": [
        (
            "run",
            "results",
            "model.shop.orders=success model.shop.skipped=skipped model.shop.as_before=no-op "
            "model.other.items=success operation.shop.hook=success",
        ),
        ("compile", "results", "model.shop.only_compiled=success"),
        ("test", "results", "test.shop.orders=pass"),
    ],
    "failed": [
        ("run", "results", "model.shop.orders=success model.shop.broken=error:no"),
        ("run", "exit", "1"),
    ],
    "not-asked": [("run", "results", "model.shop.orders=success")],
}


@pytest.fixture(scope="module")
def runs(lab, dag_file, tmp_path_factory, home_template):
    folder = tmp_path_factory.mktemp("assets")
    settings = {}
    for name, script in SCRIPTS.items():
        project = aws.Project(lab=lab, name=name, folder=folder / name, root=ROOT)
        project.script(*script)
        project.environment["DBT_ENTRYPOINT_STEPS"] = "run,compile,test"
        wanted = {} if name == "not-asked" else {"assets": ["model.shop.*", "test.*", "nothing"]}
        settings[name] = project.settings(**wanted)
    one = airflow.Airflow(
        template=home_template, home=folder / "airflow", lab=lab, dag_file=dag_file
    )
    (one.home / "dags/consumer.py").write_text(CONSUMER)
    one.set_variable(settings)
    # Nothing is started of a DAG that is paused.
    one.environment["AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"] = "False"
    # Who waits for an asset is known from then on.
    status, output = one.command("dags", "reserialize")
    assert status == 0, output
    return types.SimpleNamespace(airflow=one, output=one.run_all(settings))


def events(runs):
    kind = "asset" if airflow.Airflow.is_airflow_3 else "dataset"
    return runs.airflow.query(
        f"select source_dag_id, uri from {kind}_event e join {kind} a on a.id = e.{kind}_id"
    )


def test_what_was_built_is_announced(runs):
    """Nothing for what was skipped, only compiled, a test, or not asked for; nothing of a run that
    failed.
    """
    assert runs.airflow.state("dbt_built_dev") == ("success", 1), runs.output["dbt_built_dev"]
    assert runs.airflow.state("dbt_failed_dev")[0] == "failed"
    assert events(runs) == [("dbt_built_dev", "dbt://built/dev/model.shop.orders")]


def test_who_waits_for_it_is_started(runs):
    kind = "asset" if airflow.Airflow.is_airflow_3 else "dataset"
    assert runs.airflow.query(f"select target_dag_id from {kind}_dag_run_queue") == [("consumer",)]


def test_what_is_not_known_is_no_success(dbt_ecs):
    operator = types.SimpleNamespace(deployment="shop/live", assets=["*"])
    with pytest.raises(dbt_ecs.AirflowFailException, match=r"cannot be updated: denied\. .*\[\]"):
        dbt_ecs.update({}, operator, [], "denied")


def test_given_outlets_stay(dbt_ecs):
    (settings,), _ = dbt_ecs.load_settings(dbt_ecs.read_variable())
    given = dbt_ecs.Asset(uri="s3://landing/orders")
    task = dbt_ecs.dbt_run(settings, outlets=[given], assets=["model.*"])
    assert task.outlets == [given, dbt_ecs.AssetAlias(name="dbt_shop_live")]
    assert dbt_ecs.dbt_run(settings, outlets=[given]).outlets == [given]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (b'{"steps":[{"n":1,"name":"nightly","command":["--quiet","build"]}]}', ["model.a"]),
        (b'{"steps":[{"n":1,"name":"nightly","command":["compile"]}]}', []),
        (b'{"steps":[{"n":2,"name":"nightly","command":["run"]}]}', []),
    ],
)
def test_a_step_is_known_by_its_command(dbt_ecs, record, expected):
    found = {"01-nightly": [dbt_ecs.Node("model.a", "success", 1, None, "")], "02-x": None}
    assert dbt_ecs.built(lambda _: record, found) == expected
