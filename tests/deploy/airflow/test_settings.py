"""The settings: from one variable, all faults at once, each with its key and what it should be."""

import json

import pytest
from support.settings import GOOD


def without(key):
    return {name: value for name, value in GOOD.items() if name != key}


def test_two_projects_make_two_dags(scheduler):
    scheduler.set_variable({"shop_live": GOOD, "shop_dev": {**GOOD, "env": "dev"}})
    assert {dag["dag_id"] for dag in dags(scheduler)} == {"dbt_shop_live", "dbt_shop_dev"}


def test_missing_key_is_an_import_error(scheduler):
    scheduler.set_variable({"shop_live": without("cluster")})
    errors = import_errors(scheduler)
    assert "The Airflow variable 'dbt_ecs' cannot be used." in errors
    assert "shop_live.cluster: missing; it is name or ARN of the ECS cluster" in errors
    assert "airflow_variable" in errors


def test_missing_variable_is_an_import_error(scheduler):
    assert "AIRFLOW_VAR_DBT_ECS" in import_errors(scheduler)


def dags(scheduler):
    scheduler.command("dags", "reserialize")
    _, output = scheduler.command("dags", "list", "-o", "json")
    assert "[{" in output, output
    return json.loads(output[output.index("[{") :])


def import_errors(scheduler):
    # Airflow 3 lists the errors of the last parse, Airflow 2 parses.
    scheduler.command("dags", "reserialize")
    _, output = scheduler.command("dags", "list-import-errors", "-o", "json")
    return output[output.index("[") :].replace("\\n", "\n")


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ("{", "It is not JSON"),
        ("[]", "It is not a JSON object"),
        ("{}", "It is not a JSON object"),
        ({**GOOD, "clutser": "x"}, "clutser: unknown; the keys are project, env"),
        (
            {**GOOD, "deadline_seconds": "1h"},
            "deadline_seconds: '1h' is not of type 'integer'; it is after which",
        ),
        ({**GOOD, "deadline_seconds": 0}, "deadline_seconds: 0 is less than the minimum of 1"),
        ({**GOOD, "subnets": "subnet-1"}, "subnets: 'subnet-1' is not of type 'array'"),
        ({**GOOD, "subnets": []}, "subnets: []"),
        ({**GOOD, "security_groups": ["default"]}, "security_groups: 'default' does not match"),
        ({**GOOD, "role_arn": "DBTServiceRole"}, "role_arn: 'DBTServiceRole'"),
        ({**GOOD, "project": "my shop"}, "project: 'my shop' does not match"),
        ({**GOOD, "timezone": "Mars/Base"}, "timezone: there is no time zone 'Mars/Base'"),
        (
            {**GOOD, "schedule": "every day"},
            "schedule: 'every day' is neither a cron line nor one of @once",
        ),
        (
            {**GOOD, "schedule": "@foo"},
            "schedule: '@foo' is neither a cron line nor one of @once, @continuous, @hourly, "
            "@daily",
        ),
        ({"a": GOOD, "b": GOOD}, "dbt_shop_live: two entries have this project and env"),
        ({"a": GOOD, "b": 1}, "b: not an object"),
    ],
)
def test_faults(dbt_ecs, settings, fault):
    with pytest.raises(dbt_ecs.SettingsError) as error:
        dbt_ecs.load_settings(settings if isinstance(settings, str) else json.dumps(settings))
    assert fault in str(error.value)
    assert str(error.value).startswith("The Airflow variable 'dbt_ecs' cannot be used.")


@pytest.mark.parametrize("key", sorted(GOOD))
def test_every_key_is_needed(dbt_ecs, key):
    with pytest.raises(dbt_ecs.SettingsError, match=f"(?m)^{key}: missing; it is "):
        dbt_ecs.load_settings(json.dumps(without(key)))


def test_all_faults_at_once(dbt_ecs):
    with pytest.raises(dbt_ecs.SettingsError) as error:
        dbt_ecs.load_settings(
            json.dumps({"a": without("cluster"), "b": {**without("env"), "more": 1}})
        )
    assert all(
        fault in str(error.value)
        for fault in ("a.cluster: missing", "b.env: missing", "b.more: unknown")
    )


@pytest.mark.parametrize(
    "schedule",
    [
        "@once",
        "@continuous",
        "@hourly",
        "@daily",
        "@weekly",
        "@monthly",
        "@quarterly",
        "@yearly",
        "0 4 * * 1-5",
        None,
    ],
)
def test_schedules(dbt_ecs, schedule):
    """Airflow takes each that the check lets through."""
    (settings,) = dbt_ecs.load_settings(json.dumps({**GOOD, "schedule": schedule}))
    assert dbt_ecs.build_dag(settings).timetable is not None


def test_dag(dbt_ecs):
    """What an operator and the scheduler see of a DAG."""
    (settings,) = dbt_ecs.load_settings(
        json.dumps({**GOOD, "schedule": "0 5 * * *", "timezone": "Europe/Berlin", "retries": 1})
    )
    dag = dbt_ecs.build_dag(settings)
    task = dag.get_task("dbt")
    assert (dag.dag_id, dag.max_active_runs, dag.catchup) == ("dbt_shop_live", 1, False)
    assert dag.timezone.name == "Europe/Berlin"
    # Above the runner's deadline and the container's stopTimeout, and the provider's own wait above
    # that.
    assert task.execution_timeout.total_seconds() == 600 + 3600 + 120
    assert task.waiter_delay == 10
    assert (
        task.waiter_delay * task.waiter_max_attempts >= task.execution_timeout.total_seconds() + 60
    )
    assert task.retry_delay.total_seconds() == 180
    assert (task.retries, task.reattach, task.deferrable) == (1, True, False)
    assert "{" not in dag.doc_md.replace('{"select"', "")
    assert "| 69 |" in dag.doc_md
